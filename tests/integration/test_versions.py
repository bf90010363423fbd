"""Versions of mappings put in force, rolled back and followed, under a hub that runs; on both databases."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from canonical.errors import ConfigError
from hub import wiring
from hub.desk import NotFound, NotNow
from hub.mapping.difference import Report
from hub.store import audit, mappings
from hub.workbench import history, versions
from hub.workbench.versions import Activation, Candidate, NotReady, Version
from tests.rig import Rig, order

SHIPPED = Path(__file__).parents[2] / "mappings" / "channels" / "generic"
NAME = "channels/site/order"
TITLE = '\ntitle = "title"\n'


@pytest.fixture
def site(make_rig: Callable[..., Rig], tmp_path: Path) -> Rig:
    """A shop whose mapping is a copy of its own."""
    shutil.copytree(SHIPPED, tmp_path / "mappings" / "channels" / "site")
    return make_rig(mapping="site", mappings="mappings")


def file_of(rig: Rig) -> Path:
    return rig.hub.catalog.folder / "channels" / "site" / "order.toml"


def change(rig: Rig, old: str = TITLE, new: str = '\ntitle = "sku"\n') -> None:
    text = file_of(rig).read_text("utf-8")
    assert old in text
    file_of(rig).write_text(text.replace(old, new, 1), "utf-8")


def found(rig: Rig, wanted: str) -> Version:
    with rig.hub.store.look() as connection:
        return versions.find(connection, rig.hub.catalog, NAME, wanted)


def looked_at(rig: Rig, wanted: str = "file", *, follow: bool = False) -> Candidate:
    hub = rig.hub
    back = wanted == "previous"
    return versions.candidate(
        hub.store, hub.catalog, hub.shops, hub.config, found(rig, wanted), follow=follow, back=back
    )


def put(rig: Rig, wanted: str = "file", *, why: str = "", force: bool = False, follow: bool = False) -> Activation:
    """What the command does: look, then put in force."""
    chosen = looked_at(rig, wanted, follow=follow)
    with rig.hub.store.begin() as connection:
        return versions.activate(connection, rig.hub.catalog, chosen, "kim", why=why, force=force)


def see(rig: Rig, new: str = "file") -> None:
    """Look at what a version changes, as `hub mapping diff` does."""
    hub = rig.hub
    old, fresh = found(rig, "active"), found(rig, new)
    before, after = (hub.catalog.with_(NAME, version.sources) for version in (old, fresh))
    scope = history.scope_of(after, NAME, hub.shops, hub.config)
    report = Report(NAME, old.version, fresh.version)
    history.compare(before, after, NAME, history.stored(hub.store, scope), shops=hub.shops, report=report)
    with hub.store.begin() as connection:
        history.keep(connection, report, "kim")


async def titles(rig: Rig, number: str) -> list[str]:
    """What the destination gets as the title of a new order's line."""
    await rig.push(order(number))
    await rig.work()
    return [body["lines"][0]["title"] for body in rig.bodies() if body["order_no"] == number]


async def test_what_is_activated_holds_whatever_becomes_of_the_file(site: Rig) -> None:
    first = put(site)
    change(site)
    assert await titles(site, "V1") == ["杯"]
    file_of(site).write_text("this is [ no TOML", "utf-8")
    assert await titles(site, "V2") == ["杯"]
    assert first.version == found(site, "active").version
    hub = wiring.build(site.path)  # and a process that starts now
    assert hub.catalog.mapping(NAME).version == first.version
    hub.store.close()


async def test_a_running_hub_takes_another_version_without_a_restart_and_back(site: Rig) -> None:
    put(site)
    assert await titles(site, "V1") == ["杯"]
    change(site)
    see(site)
    second = put(site, why="the warehouse wants SKUs")
    assert await titles(site, "V2") == ["CUP-1"]
    put(site, "previous", why="they did not")
    assert await titles(site, "V3") == ["杯"]
    log = await site.read(audit.entries)
    acts = [(e["act"], e["actor"], e["subject"]) for e in log if e["act"].startswith("mapping.")]
    assert acts == [("mapping.activated", "kim", NAME)] * 3
    assert second.version in log[1]["detail"]
    assert "the warehouse wants SKUs" in log[1]["detail"]


async def test_following_the_file_again(site: Rig) -> None:
    put(site)
    change(site)
    await titles(site, "V1")
    see(site)
    done = put(site, follow=True)
    assert done.version == versions.FOLLOWED
    assert await titles(site, "V2") == ["CUP-1"]
    change(site, '\ntitle = "sku"\n', TITLE)
    assert await titles(site, "V3") == ["杯"]


async def test_a_version_nobody_has_looked_at_needs_a_diff_or_a_reason(site: Rig) -> None:
    put(site)
    await titles(site, "V1")
    change(site)
    with pytest.raises(NotReady, match="nobody has seen what it changes"):
        put(site)
    with pytest.raises(NotNow, match="needs a reason"):
        put(site, force=True)
    done = put(site, force=True, why="orders are waiting")
    assert done.forced
    (entry, *_) = await site.read(audit.entries)
    assert "forced: nobody has seen" in entry["detail"]
    assert "orders are waiting" in entry["detail"]


async def test_without_history_there_is_nothing_to_look_at(site: Rig) -> None:
    put(site)
    change(site)
    assert not looked_at(site).doubts
    assert put(site).version == found(site, "file").version


async def test_failing_cases_are_named(site: Rig) -> None:
    put(site)
    change(site, 'order_no = "order_no"', 'order_no = { value = "always the same" }')
    with pytest.raises(NotReady, match=r"\d+ of \d+ cases fail: order-no-number"):
        put(site)


async def test_a_version_that_does_not_load_is_refused_with_all_its_problems(site: Rig) -> None:
    put(site)
    change(site, TITLE, '\ntitle = "titel["\nquantitty = "num"\n')
    with pytest.raises(ConfigError) as caught:
        put(site)
    assert len(caught.value.problems) == 2
    assert await titles(site, "V1") == ["杯"]


async def test_of_two_at_once_one_wins_and_the_other_is_told(site: Rig) -> None:
    put(site)
    change(site)
    mine, theirs = looked_at(site), looked_at(site)
    with site.hub.store.begin() as connection:
        versions.activate(connection, site.hub.catalog, theirs, "lee")
    with pytest.raises(NotNow, match="lee was faster") as caught, site.hub.store.begin() as connection:
        versions.activate(connection, site.hub.catalog, mine, "kim")
    assert theirs.version.version in caught.value.message
    listing = await site.read(versions.listing, site.hub.catalog, NAME)
    assert [row["actor"] for row in listing["activations"]] == ["lee", "kim"]


async def test_a_case_for_the_new_rule_does_not_keep_the_old_one_from_coming_back(site: Rig) -> None:
    first = put(site)
    change(site)
    case = {"why": "the title is the SKU", "given": order("C1"), "expect": {"lines": [{"title": "CUP-1"}]}}
    (file_of(site).parent / "cases" / "order-sku.json").write_text(json.dumps(case), "utf-8")
    put(site)
    assert put(site, "previous", why="it was wrong").version == first.version


async def test_there_is_no_way_back_from_the_first(site: Rig) -> None:
    with pytest.raises(NotFound, match="no version before"):
        put(site, "previous")
    put(site)
    assert looked_at(site).settled
    with pytest.raises(NotFound, match="no version before"):
        put(site, "previous")


async def test_the_list_tells_what_is_in_force_and_what_the_file_says(site: Rig) -> None:
    before = await site.read(versions.listing, site.hub.catalog, NAME)
    assert (before["follows_file"], before["differs"], before["versions"]) == (True, False, [])
    put(site, why="first")
    change(site)
    put(site)
    change(site, '\ntitle = "sku"\n', '\ntitle = "no such"\n')
    told = await site.read(versions.listing, site.hub.catalog, NAME)
    assert told["problems"] == [] or told["differs"]
    assert (told["follows_file"], [row["state"] for row in told["versions"]]) == (False, ["in force", "was in force"])
    assert told["versions"][1]["why"] == "first"
    file_of(site).unlink()
    gone = await site.read(versions.listing, site.hub.catalog, NAME)
    assert gone["file"] == ""
    assert "there is no mapping" in gone["problems"][0]


async def test_a_pinned_version_that_no_longer_loads_is_told_with_the_way_out(site: Rig) -> None:
    put(site)
    with site.hub.store.begin() as connection:
        sources = {f"{NAME}.toml": "kind = 'order'\nno_such_key = 1\n"}
        mappings.add(
            connection, NAME, "site/order@broken00", sources, origin="file", based_on="", created_at=0.0,
            created_by="kim", why="",
        )  # fmt: skip
        mappings.activate(connection, NAME, "site/order@broken00", 2, 1.0, "kim", "", forced=True)
    assert await titles(site, "V1") == ["杯"]  # what was in force stays, in a process that runs
    with pytest.raises(ConfigError) as caught:
        wiring.build(site.path)
    assert f"hub mapping follow {NAME}" in caught.value.problems[-1]
    hub = wiring.build(site.path, follow_files=True)
    assert hub.catalog.pins == {}
    hub.store.close()
