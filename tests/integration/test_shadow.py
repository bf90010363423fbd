"""A version in the shadow of the one in force, on both databases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub import clock
from hub.config import Config
from hub.desk import NotFound, NotNow
from hub.store import audit
from hub.store import history as kept
from hub.workbench import shadow, versions
from hub.workbench.shadow import LIMIT, Shadows
from tests.rig import ONE, Rig, order

ORDER = "channels/generic/order"
PATH = f"{ORDER}.toml"


@pytest.fixture
def loop(rig: Rig) -> Shadows:
    return runner(rig)


def runner(rig: Rig, config: Config | None = None) -> Shadows:
    return Shadows(rig.hub.store, rig.hub.catalog, rig.hub.shops, config or rig.hub.config, lag=0.0)


def sources(rig: Rig, old: str = '\ntitle = "title"\n', new: str = '\ntitle = "sku"\n') -> dict[str, str]:
    texts = rig.hub.catalog.sources(ORDER)
    assert old in texts[PATH]
    return {**texts, PATH: texts[PATH].replace(old, new, 1)}


async def begin(rig: Rig, texts: dict[str, str], *, seconds: float = 3600.0, name: str = ORDER) -> str:
    """Put a version into the shadow."""
    version = await rig.run(versions.propose, rig.hub.catalog, name, texts, "ann", origin="api")
    await rig.run(shadow.start, rig.hub.catalog, name, version, seconds, "ann")
    return str(version.version)


async def turns(loop: Shadows, times: int = 2) -> None:
    for _ in range(times):
        await loop.turn()


async def report(rig: Rig, name: str = ORDER) -> dict[str, Any]:
    row: dict[str, Any] = await rig.read(shadow.status, name)
    return row


async def test_what_arrives_is_counted_and_the_old_is_delivered(rig: Rig, loop: Shadows) -> None:
    await rig.push(order("W0"))
    version = await begin(rig, sources(rig))
    await rig.push(order("W1"))
    await rig.work()
    await turns(loop)
    found = await report(rig)
    assert (found["report"]["compared"], found["report"]["changed"], found["ended_at"]) == (1, 1, None)
    assert found["report"]["fields"]["lines[].title"]["samples"][0]["key"] == "W1"
    assert (found["version"], found["report"]["new"]) == (version, version)
    assert {body["lines"][0]["title"] for body in rig.bodies()} == {"杯"}
    await turns(loop)
    assert (await report(rig))["report"]["compared"] == 1


async def test_it_goes_on_after_a_restart_and_in_another_process(rig: Rig, loop: Shadows) -> None:
    await begin(rig, sources(rig))
    await rig.push(order("W1"))
    await turns(loop)
    await rig.push(order("W2"))
    await turns(runner(rig))
    assert (await report(rig))["report"]["compared"] == 2
    taken = await rig.run(kept.lease_shadow, clock.now().timestamp(), 60.0, "another process")
    assert taken is not None
    await rig.push(order("W3"))
    await turns(loop)
    assert (await report(rig))["report"]["compared"] == 2
    assert not await rig.run(kept.keep_shadow, taken["id"], "a third", cursor=999)


async def test_a_turn_is_bounded(rig: Rig, loop: Shadows) -> None:
    await begin(rig, sources(rig))
    for number in range(LIMIT + 10):
        await rig.push(order(f"W{number}"))
    assert [await loop.turn() for _ in range(3)] == [LIMIT, 10, 0]
    assert (await report(rig))["report"]["compared"] == LIMIT + 10


async def test_at_its_end_it_counts_as_a_seen_diff(rig: Rig, loop: Shadows) -> None:
    version = await begin(rig, sources(rig), seconds=-1.0)
    await rig.push(order("W1"))
    await turns(loop, 3)
    found = await report(rig)
    assert found["ended_at"] is not None
    assert found["report"]["compared"] == 0  # it arrived after the end
    (seen,) = await rig.read(kept.diffs, ORDER, version)
    assert (seen["actor"], seen["old"]) == ("ann", rig.hub.catalog.mapping(ORDER).version)
    await turns(loop)
    assert len(await rig.read(kept.diffs, ORDER, version)) == 1


async def test_only_one_at_a_time_and_it_can_be_stopped(rig: Rig, loop: Shadows) -> None:
    with pytest.raises(NotFound):
        await rig.read(shadow.status, ORDER)
    with pytest.raises(NotFound):
        await rig.run(shadow.stop, ORDER, "ann")
    version = await begin(rig, sources(rig))
    with pytest.raises(NotNow):
        await begin(rig, sources(rig, new='\ntitle = "id"\n'))
    assert (await rig.run(shadow.stop, ORDER, "bob"))["version"] == version
    assert await rig.read(kept.diffs, ORDER, version) == []
    acts = [(a["actor"], a["act"]) for a in await rig.read(audit.entries)]
    assert acts == [("bob", "mapping.shadow_stopped"), ("ann", "mapping.shadowed")]
    with pytest.raises(NotNow):
        await begin(rig, rig.hub.catalog.sources(ORDER))


async def test_it_ends_when_its_version_goes_into_force_and_begins_anew_for_another(rig: Rig, loop: Shadows) -> None:
    texts = sources(rig)
    await begin(rig, texts)
    await rig.push(order("W1"))
    await turns(loop)
    rig.hub.catalog.pins[ORDER] = sources(rig, new='\ntitle = "id"\n')
    rig.hub.catalog.load()
    await rig.push(order("W2"))
    await turns(loop)
    found = await report(rig)
    assert (found["report"]["compared"], found["report"]["old"]) == (1, rig.hub.catalog.mapping(ORDER).version)
    rig.hub.catalog.pins[ORDER] = texts
    rig.hub.catalog.load()
    await turns(loop)
    assert (await report(rig))["ended_at"] is not None


async def test_a_destination_is_watched_by_what_goes_there(make_rig: Callable[..., Rig], tmp_path: Path) -> None:
    name = "destinations/kingdee/order"
    rig = make_rig(ONE.replace('kind = "http"', 'kind = "http"\nmapping = "kingdee"'))
    texts = rig.hub.catalog.sources(name)
    path = f"{name}.toml"
    old, new = 'FSaleOrgId.FNumber = { value = "100" }', 'FSaleOrgId.FNumber = { value = "200" }'
    assert old in texts[path]
    await begin(rig, {**texts, path: texts[path].replace(old, new)}, name=name)
    await rig.push(order("W1"))
    await rig.work()
    await turns(runner(rig))
    found = await report(rig, name)
    assert found["report"]["fields"]["data.Model.FSaleOrgId.FNumber"]["count"] == 1
