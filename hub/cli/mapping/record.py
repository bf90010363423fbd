"""`hub mapping record`: a case from what really came."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub.cli.mapping.folder import MappingsOption, catalog_of, named, own_folder
from hub.cli.mapping.given import Desk, front_of, mappings_for, of_file
from hub.cli.output import PROBLEMS, USAGE, ConfigOption, JsonOption, emit, errors, fail, opened, out

if TYPE_CHECKING:
    from hub.mapping.catalog import Catalog
    from hub.mapping.rows import MappingFile
    from hub.workbench.recording import Recorded
    from hub.workbench.samples import Sample


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("record")(record)


def record(
    what: str = typer.Argument(metavar="ORDER|FILE", help="An order's number, or a file: what `hub map` reads."),
    mapping: str = typer.Option("", "--mapping", "-m", help="Of a file: taobao/order; or a destination's."),
    kind: str = typer.Option("order", "--kind", "-k", help="Of a stored order: its order or its refund messages."),
    shop: str = typer.Option("", "--shop", help="A shop of hub.toml: its settings and its overlay."),
    case: str = typer.Option("", "--case", help="The case's name; default: the kind and an invented number."),
    why: str = typer.Option("", "--why", help="What the case is about; it stands in its file."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Print the case, write nothing."),
    force: bool = typer.Option(False, "--force", help="Write over a case of that name."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """Make a case from a stored message or a file, with people replaced by invented ones.

    The newest message of an order counts, or the first record of a file. Names, phones, addresses, notes and numbers
    of orders become others of the same look, the same ones everywhere. What must become of it is taken from what does:
    read it, and correct it where the mapping is wrong.

    Example: hub mapping record 2026030210001 --why "a gift without a price"
    """
    from hub.workbench import recording

    with errors():
        catalog, used, sample = _sample(what, mapping, kind, shop, config, mappings)
        made = recording.recorded(used, sample.record, sample.own, why=why)
        name = case or made.name
        if not name.startswith(f"{made.mapping.kind}-") and name != made.mapping.kind:
            name = f"{made.mapping.kind}-{name}"
        text = json.dumps(made.case, ensure_ascii=False, indent=2) + "\n"
        if dry_run:
            typer.echo(text, nl=False)
            return
        path = _written(own_folder(config, mappings), made, name, text, force=force)
        _proven(catalog.folder, made, name, path)
    if as_json:
        emit({"case": str(path), "mapping": made.mapping.full_name, "replaced": made.replaced})
        return
    out.print(f"[green]✓[/] wrote {path}: {made.replaced} values are invented ones")
    out.print(f"[dim]read what it expects; then:[/] hub mapping test {made.mapping.name}")


def _sample(
    what: str, mapping: str, kind: str, shop: str, config: Path, folder: Path | None
) -> "tuple[Catalog, list[MappingFile], Sample]":
    """The record that is meant, and the mappings that share the work on it."""
    from hub.workbench import samples

    if Path(what).is_file() or what == "-":
        if not mapping:
            fail("which mapping is the file for?", hint="hub mapping record FILE --mapping taobao/order", code=USAGE)
        desk = _desk(shop, config, folder)
        full = named(desk.catalog, mapping)
        sample, overlay = next(of_file(desk, full, what, shop))
        return desk.catalog, mappings_for(desk, full, sample, overlay), sample
    if not config.exists():
        fail(f"{what}: there is no such file, and no {config} with a store that could have the order", code=USAGE)
    hub = opened(config)
    try:
        full = named(hub.catalog, mapping) if mapping else ""
        outward = full.startswith("destinations/")
        find = samples.document_of if outward else samples.of_order
        with hub.store.look() as connection:
            found = find(connection, what, hub.catalog.mapping(full).kind if full else kind, shop)
    finally:
        hub.store.close()
    desk, sample = Desk(hub.catalog, hub.shops), found[0]
    if not full:
        front = front_of(hub, sample.shop, config)
        return hub.catalog, hub.catalog.channel(front.mappings, kind, front.overlay).mappings, sample
    return hub.catalog, mappings_for(desk, full, sample), sample


def _desk(shop: str, config: Path, folder: Path | None) -> Desk:
    if not shop:
        return Desk(catalog_of(config, folder), {})
    hub = opened(config)
    try:
        front_of(hub, shop, config)
    finally:
        hub.store.close()
    return Desk(hub.catalog, hub.shops)


def _written(folder: Path, made: "Recorded", name: str, text: str, *, force: bool) -> Path:
    path = folder / made.mapping.full_name.rpartition("/")[0] / "cases" / f"{name}.json"
    if path.exists() and not force:
        fail(f"{path} is there already", hint="--case NAME gives another name, --force writes over it", code=USAGE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{path}: cannot be written: {error.strerror}", hint="--dry-run prints it", code=PROBLEMS)
    return path


def _proven(folder: Path, made: "Recorded", name: str, path: Path) -> None:
    """A case that does not pass at once would only confuse: it is told, and stays for its author to look at."""
    from hub.mapping.cases import run_cases
    from hub.mapping.catalog import Catalog

    if not path.is_relative_to(folder):
        return
    catalog = Catalog(folder)
    catalog.load_what_can_be()
    short = f"{made.mapping.name.partition('/')[0]}/cases/{name}"
    failed = [difference for result in run_cases(catalog, short) for difference in result.differences]
    if failed:
        fail(f"{path} was written, but does not pass: {failed[0]}", hint=f"hub mapping test {short}")
