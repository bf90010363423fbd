"""What each story says should come of it is what the shipped mappings make of it."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.port import Envelope, Hint, Window
from adapters.sandbox.audit import at
from adapters.sandbox.story import Step, Story
from adapters.sandbox.traffic import CHANNELS, orders
from canonical.identity import content_hash, key_of, merge
from hub.mapping.catalog import Catalog
from tests.unit.sandbox.conversation import (
    NOW,
    Hands,
    adapter,
    client_of,
    pull_all,
    record_of,
    sandbox,
    talk_through,
)

MAPPINGS = Path(__file__).resolve().parents[3] / "mappings"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    catalog = Catalog(MAPPINGS)
    catalog.load()
    return catalog


def read(channel: str, story: Story) -> Iterator[Envelope]:
    """The story's records through the channel's own reader, oldest change first."""
    reader = adapter(channel)
    for step in sorted(story.steps, key=lambda s: s.modified):
        if step.kind != "raw" and step.how != "lag":
            body = json.loads(json.dumps(step.body))
            yield from (e for e in reader.read(body, step.kind) if isinstance(e, Envelope) and e.key == step.key)


def outcome(catalog: Catalog, channel: str, story: Story) -> tuple[dict[Any, Any], set[str]]:
    """The documents as they stand in the end, and the codes of all problems."""
    code, documents, codes = "generic" if channel == "site" else channel, dict[Any, Any](), set[str]()
    for envelope in read(channel, story):
        told = catalog.channel(code, envelope.kind).translate(
            envelope.body, tenant="default", shop=channel, channel=code, now=datetime.fromtimestamp(NOW, UTC)
        )
        codes |= {problem.code for problem in told.problems}
        if told.document is not None:
            key = key_of(told.document)
            documents[key] = merge(documents.get(key), told.document)
    return documents, codes


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("channel", CHANNELS)
def test_stories_end_as_they_say(channel: str, seed: int, catalog: Catalog) -> None:
    wrong: list[tuple[Any, ...]] = []
    for story in orders(channel, seed, 100, NOW):
        documents, codes = outcome(catalog, channel, story)
        if story.dead:
            family = story.dead.partition(".")[0]
            if story.dead != "wire.not_understood" and {c.partition(".")[0] for c in codes} != {family}:
                wrong.append((story.label, "dead", story.dead, sorted(codes)))
            continue
        counts = [sum(key.kind == kind for key in documents) for kind in ("order", "refund")]
        if codes or counts != [story.orders, story.refunds]:
            wrong.append((story.label, "counts", counts, sorted(codes)))
        wrong += [(story.label, *what) for what in differences(story, documents)]
    assert wrong == []


def differences(story: Story, documents: dict[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Path, wanted and found, where the order is not what the story says."""
    order = next((d for key, d in documents.items() if (key.kind, key.number) == ("order", story.subject)), None)
    plain = order.model_dump(mode="json", by_alias=True) if order is not None else {}
    for path, wanted in story.final.items():
        if at(plain, path) != wanted:
            yield path, wanted, at(plain, path)


@pytest.mark.parametrize("channel", CHANNELS)
async def test_push_and_pull_tell_the_same(channel: str, catalog: Catalog) -> None:
    """One order, pushed and pulled, is one document with one content: it must not be delivered twice."""
    hands = Hands()
    box, reader = sandbox(hands), adapter(channel)
    platform = box.platforms[channel]
    steps = newest(s for s in orders(channel, 5, 60, NOW) if s.orders and not s.dead)
    for step in steps:
        platform.shop.put(record_of(step))
    hands.at += 60
    pulled, pushed = dict[Any, Any](), dict[Any, Any]()
    async with client_of(box) as client:
        for kind in ("order", "refund"):
            window = Window(hands.utc - timedelta(hours=2), hands.utc)
            for envelope in await pull_all(reader, kind, window, hands, client, None):
                pulled[envelope.kind, envelope.key] = content(catalog, channel, envelope)
        for step in steps:
            body = platform.message(step, "m-1")
            headers = {k.lower(): v for k, v in platform.sign_push(body, "m-1", step.topic).items()}
            for found in reader.unpack(headers, body, hands.utc):
                if isinstance(found, Hint):
                    found = await talk_through(reader.fetch(found.kind, found.key, hands.utc), client)
                pushed[found.kind, found.key] = content(catalog, channel, found)
    assert {kind for kind, _ in pulled} == {"order", "refund"}
    assert {key: told for key, told in pushed.items() if told != pulled[key]} == {}


def newest(stories: Iterable[Story]) -> list[Step]:
    """The last state of every record."""
    shown = (s for story in stories for s in story.steps if s.how in ("both", "pull"))
    return list({(step.kind, step.key): step for step in shown}.values())


def content(catalog: Catalog, channel: str, envelope: Envelope) -> tuple[str, str]:
    """Revision and content of what the record becomes."""
    code = "generic" if channel == "site" else channel
    told = catalog.channel(code, envelope.kind).translate(
        envelope.body, tenant="default", shop=channel, channel=code, now=datetime.fromtimestamp(NOW, UTC)
    )
    assert told.document is not None, told.problems
    return str(getattr(told.document, "revision", "")), content_hash(told.document)
