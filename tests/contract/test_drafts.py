"""Drafts from what the platforms really send, held against the shipped mappings: how much is found unaided."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

import adapters
from adapters.port import Envelope
from canonical import parse_json
from canonical.errors import HubError
from canonical.serialise import dump_json
from hub import adapting
from hub.mapping.catalog import Catalog
from hub.mapping.drafting import NotASample, compiled, draft, read_sample, records_in
from hub.mapping.editing import set_row
from hub.mapping.translation import Compiled, Translator

SAMPLES = Path(__file__).parents[3] / "shared" / "fixtures" / "channels"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FLOOR = {"taobao": 0.86, "jd": 0.84, "douyin": 0.85, "shopify": 0.74, "pinduoduo": 0.79}
"""Part of the fields of the shipped mapping's documents that a draft has right, words of states aside."""
WORDS = {"state": "open", "payment": "paid", "fulfilment": "unshipped", "kind": "normal"}
OWN = {"schema", "tenant", "shop", "channel", "shippable", "lines.shippable", "lines.refund", *WORDS}
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared samples are not here")


def records(file: Path, code: str) -> list[Any]:
    try:
        channel = adapting.unconfigured(adapters.load("channels", code))
        return [e.body for e in channel.read(parse_json(file.read_bytes()), "order") if isinstance(e, Envelope)]
    except HubError:
        return []


def fields(document: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from fields(value, f"{at}{name}.") if name != "extra" else ()
        elif isinstance(value, list):
            yield from (pair for line in value if name == "lines" for pair in fields(line, "lines."))
        elif at + name not in OWN and value is not None:
            yield at + name, value


def made_by(translator: Translator, record: Any) -> Any:
    made = translator.translate(record, tenant="default", shop="shop", channel="channel", now=NOW)
    return orjson.loads(dump_json(made.draft)) if made.draft is not None else None


@pytest.mark.parametrize("code", FLOOR)
def test_a_draft_finds_most_of_what_the_shipped_mapping_has(code: str) -> None:
    catalog = Catalog(adapting.mappings_folder())
    catalog.load()
    right, missed = 0, Counter[str]()
    for file in sorted((SAMPLES / code).glob("*.json")):
        given = records(file, code)
        wanted = [made_by(catalog.channel(code, "order"), record) for record in given]
        if not wanted or None in wanted:
            continue
        text = draft("order", given, name="x/order", source=file.name, known={}, now=NOW).text
        own = compiled(text, "x/order").raw["order"]
        for field, word in WORDS.items():
            text = set_row(text, ("order", field), {"value": word}) if field in own else text
        if "refund" in own.get("lines", {}):
            text = set_row(text, ("order", "lines", "refund"), {"value": "none"})
        translator = Translator([Compiled(compiled(text, "x/order"))])
        for record, document in zip(given, wanted, strict=True):
            found = list(fields(made_by(translator, record) or {}))
            for pair in fields(document):
                if pair in found:
                    right += 1
                    found.remove(pair)
                else:
                    missed[pair[0]] += 1
    share = right / (right + missed.total())
    assert share >= FLOOR[code], f"{share:.2f}: {missed.most_common()}"


@pytest.mark.parametrize("file", sorted(SAMPLES.glob("*/*")), ids=lambda f: f"{f.parent.name}/{f.name}")
def test_every_sample_gives_a_mapping_that_loads_or_a_clear_word(file: Path) -> None:
    kind = "refund" if "refund" in file.name or "after" in file.name.lower() else "order"
    try:
        _, found = records_in(read_sample(file.read_bytes()), kind)
        made = draft(kind, found, name=f"x/{kind}", source=file.name, known={}, now=NOW)
    except NotASample as told:
        assert told.message  # noqa: PT017  # either ending is right
        return
    assert made.rows
    assert all(problem.hint for problem in made.problems)
