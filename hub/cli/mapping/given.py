"""What a command of an author is given: a file, or a stored order, as records with the mappings that take them."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.cli.output import USAGE, fail, opened

if TYPE_CHECKING:
    from adapters.port import Channel
    from hub import wiring
    from hub.mapping.catalog import Catalog
    from hub.mapping.rows import MappingFile
    from hub.receiving import ShopFront
    from hub.workbench.samples import Sample

NOT_DATA = "This is the platform's answer to a failed call, not data; the channel's page tells what the code means."


@dataclass(frozen=True, slots=True)
class Desk:
    """Where an author works: the mappings, and the hub where one is configured and asked for."""

    catalog: "Catalog"
    shops: "dict[str, ShopFront]"


def mappings_for(desk: Desk, name: str, sample: "Sample", overlay: str = "") -> "list[MappingFile]":
    """The mappings that share the work on a sample, the named one (by its full name) among them."""
    mapping = desk.catalog.mapping(name)
    if mapping.outward:
        return [mapping]
    front = desk.shops.get(sample.shop)
    folder, over = (front.mappings, front.overlay) if front else (name.split("/")[1], overlay)
    found = desk.catalog.channel(folder, mapping.kind, over).mappings
    if all(one.full_name != name for one in found) and not front:
        found = desk.catalog.channel(folder, mapping.kind, mapping.name).mappings
    return found


def of_file(desk: Desk, name: str, file: str, shop: str = "") -> "Iterator[tuple[Sample, str]]":
    """The records of a file (- is standard input) with the overlay that a case names: what `hub map` reads, or a case
    file, or (for a destination) documents. Ends the command where there is none."""
    from canonical.errors import HubError, Refusal
    from hub.workbench.samples import Sample

    mapping = desk.catalog.mapping(name)
    raw = read(file)
    try:
        cases = list(_cases(raw))
        if cases:
            for given, overlay in cases:
                yield Sample(given, mapping.kind, ""), overlay
        elif mapping.outward:
            yield from ((Sample(one, mapping.kind, str(one.get("order_no") or "")), "") for one in _documents(raw))
        else:
            yield from ((sample, "") for sample in _records(desk, name, raw, shop))
    except Refusal as error:
        fail(f"{file}: {error.message}", hint=NOT_DATA)
    except HubError as error:
        own = error.hint != type(error).hint
        hint = error.hint if own else "Give what the platform answers or pushes: a page, a single record or a push."
        fail(f"{file}: {error.message}", hint=hint)


def of_order(config: Path, name: str, number: str, shop: str = "") -> "tuple[Desk, list[Sample]]":
    """The stored records of an order (a destination: its documents), newest first. Raises HubError."""
    from hub.workbench import samples

    hub = opened(config)
    try:
        mapping = hub.catalog.mapping(name)
        find = samples.document_of if mapping.outward else samples.of_order
        with hub.store.look() as connection:
            found = find(connection, number, mapping.kind, shop)
    finally:
        hub.store.close()
    return Desk(hub.catalog, hub.shops), found


def read(file: str) -> bytes:
    """A file's bytes, or standard input's."""
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}", code=USAGE)


def front_of(hub: "wiring.Hub", shop: str, config: Path) -> "ShopFront":
    """A shop of hub.toml, or the end of the command."""
    if shop not in hub.shops:
        fail(f"no shop {shop!r} in {config}", hint=f"there are: {', '.join(hub.shops) or 'none'}", code=USAGE)
    return hub.shops[shop]


def _cases(raw: bytes) -> Iterator[tuple[Any, str]]:
    """The given records of a case file with the overlays they name; nothing where it is none."""
    from canonical.errors import NotUnderstood
    from canonical.parsing import parse_json
    from hub.mapping.casefile import KEYS

    try:
        data = parse_json(raw)
    except NotUnderstood:
        return
    several = data if isinstance(data, list) else [data]
    if all(isinstance(case, dict) and "given" in case and case.keys() <= KEYS.keys() for case in several):
        yield from ((case["given"], str(case.get("mapping", ""))) for case in several)


def _documents(raw: bytes) -> list[dict[str, Any]]:
    """Canonical documents: one, a list of them, or what `hub map --json` prints."""
    from canonical.errors import NotUnderstood
    from canonical.parsing import parse_json

    data = parse_json(raw)
    found = data.get("documents", [data]) if isinstance(data, dict) else data
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise NotUnderstood("there is no document in it", hint="Give a document: hub map CHANNEL FILE --json | ... -")
    return found


def _records(desk: Desk, name: str, raw: bytes, shop: str) -> "Iterator[Sample]":
    from adapters.port import Envelope
    from canonical.errors import NotUnderstood
    from hub.mapping.drafting import read_sample, records_in
    from hub.trial import records
    from hub.workbench.samples import Sample

    kind, folder = desk.catalog.mapping(name).kind, name.split("/")[1]
    front = desk.shops.get(shop)
    channel, code = _channel(front, folder)
    if channel is None:
        for record in records_in(read_sample(raw), kind)[1]:
            yield Sample(record, kind, "")
        return
    own = {"tenant": front.tenant if front else "default", "shop": shop or code, "channel": code}
    found = [one for one in records(channel, kind, raw) if isinstance(one, Envelope) and one.kind == kind]
    if not found:
        raise NotUnderstood(f"there is no {kind} in it", hint=f"hub map {folder} shows what is in it")
    yield from (Sample(one.body, kind, str(one.key), own) for one in found)


def _channel(front: "ShopFront | None", folder: str) -> "tuple[Channel | None, str]":
    """The adapter that reads a folder's records, and its code; None for platforms by settings without their shop."""
    import adapters
    from hub import adapting

    if front is not None:
        return front.channel, front.code
    if folder in adapters.codes("channels") and folder != "generic":
        return adapting.unconfigured(adapters.load("channels", folder)), folder
    return None, folder
