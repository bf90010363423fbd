"""Versions of a mapping held against stored messages and documents, on both databases."""

import json
import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub import clock
from hub.mapping.catalog import Catalog
from hub.mapping.difference import Report
from hub.store import history as kept
from hub.store import inbox
from hub.workbench import history
from tests.rig import ONE, Rig, order

ORDER = "channels/generic/order"
SHIPPED = Path(__file__).parents[2] / "mappings"


def catalog(folder: Path, changes: dict[str, Callable[[str], str]]) -> Catalog:
    """The shipped mappings of the own site and of Kingdee, with changes: file -> what becomes of its text."""
    others = ("cases", "taobao", "shopify", "jd", "douyin", "nuonuo", "qimen")
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns(*others))
    for name, change in changes.items():
        path = folder / name
        before = path.read_text("utf-8") if path.exists() else ""
        after = change(before)
        assert after != before
        path.write_text(after, encoding="utf-8")
    made = Catalog(folder)
    made.load()
    return made


def swap(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


def versus(rig: Rig, new: Catalog, name: str = ORDER, **which: Any) -> Report:
    """The mappings in force against these, over what is stored."""
    hub = rig.hub
    scope = history.scope_of(hub.catalog, name, hub.shops, hub.config)
    report = history.compare(hub.catalog, new, name, history.stored(hub.store, scope, **which), shops=hub.shops)
    history.count_letters(hub.store, new, scope, report)
    return report


TITLE = swap('\ntitle = "title"\n', '\ntitle = "sku"\n')
MORE_WORDS = swap("[tables.state]\n", '[tables.state]\nteleported = "completed"\n')
FEWER_WORDS = swap('\npaid = "open"\n', "\n")


@pytest.fixture
async def year(rig: Rig) -> Rig:
    """Ten orders, one of them in two versions and one sent twice, and two that died of an unknown word."""
    for number in range(10):
        await rig.push(order(f"W{number}", minute=number))
    await rig.push(order("W1", minute=30, note="hurry"))
    await rig.push(order("W1", minute=30, note="hurry"))
    for number in range(2):
        await rig.push(order(f"T{number}", status="teleported"))
    await rig.work()
    return rig


async def test_changed_fields_are_counted_with_samples(year: Rig, tmp_path: Path) -> None:
    new = catalog(tmp_path / "new", {"channels/generic/order.toml": TITLE})
    report = versus(year, new)
    assert (report.compared, report.changed, report.unchanged, report.still_failing) == (13, 11, 0, 2)
    assert list(report.fields) == ["lines[].title"]
    sample = report.fields["lines[].title"].samples[0]
    assert (sample["old"], sample["new"], sample["key"], sample["shop"]) == ('"杯"', '"CUP-1"', "W0", "site")
    assert sample["message"] == 1
    assert report.old != report.new
    assert report.shops == {"site": 13}
    assert not report.worse


async def test_what_the_new_one_mends_and_what_it_breaks(year: Rig, tmp_path: Path) -> None:
    mended = versus(year, catalog(tmp_path / "more", {"channels/generic/order.toml": MORE_WORDS}))
    assert (mended.mended, mended.unchanged, mended.failing) == (2, 11, 0)
    assert mended.letters == {"open": 2, "mended": 2}
    assert next(iter(mended.solved)) == "mapping.unknown_word generic/order: order.state"
    broken = versus(year, catalog(tmp_path / "fewer", {"channels/generic/order.toml": FEWER_WORDS}))
    assert broken.failing == 11
    assert broken.worse
    (problem,) = broken.problems.values()
    assert (problem.count, problem.samples[0]["code"]) == (11, "mapping.unknown_word")
    assert broken.letters == {"open": 2, "mended": 0}


async def test_the_newest_or_the_latest_are_taken_when_asked(year: Rig, tmp_path: Path) -> None:
    new = catalog(tmp_path / "new", {"channels/generic/order.toml": TITLE})
    assert versus(year, new, last=5).compared == 5
    assert versus(year, new, last=500).compared == 13
    assert versus(year, new, since=clock.now().timestamp() - 3600).compared == 13
    assert versus(year, new, since=clock.now().timestamp() + 3600).compared == 0


async def test_an_overlay_changes_with_the_file_that_it_extends(rig: Rig, tmp_path: Path) -> None:
    overlay = {"channels/generic/outlet.toml": lambda _: 'extends = "generic/order"\n[order]\nextra.o = "note"\n'}
    old = catalog(tmp_path / "old", overlay)
    rig.hub.catalog.folder = old.folder
    rig.hub.catalog.load()
    rig.hub.shops["out"] = replace(rig.hub.shops["site"], name="out", overlay="outlet")
    new = catalog(tmp_path / "new", {**overlay, "channels/generic/order.toml": TITLE})
    scope = history.scope_of(rig.hub.catalog, ORDER, rig.hub.shops, rig.hub.config)
    assert set(scope.shops) == {"site", "out"}
    only = history.scope_of(rig.hub.catalog, "channels/generic/outlet", rig.hub.shops, rig.hub.config)
    assert set(only.shops) == {"out"}
    await rig.push(order("W1"))
    with rig.hub.store.begin() as connection:
        row = {**(inbox.get(connection, 1) or {})}
        item = inbox.Incoming("default", "out", "generic", "order", "W1", "W1", "", "push", "other", row["body"], 1.0)
        inbox.accept(connection, [item])
    report = versus(rig, new)
    assert report.shops == {"site": 1, "out": 1}
    assert report.fields["lines[].title"].count == 2


async def test_raw_bytes_and_thin_events_are_no_records(year: Rig, tmp_path: Path) -> None:
    hint = inbox.Incoming("default", "site", "generic", "order", "W1", "", "", "push", "h", b"x", 1.0, inbox.FETCH)
    odd = inbox.Incoming("default", "site", "generic", "order", "W1", "W1", "", "push", "o", inbox.compress(b"{"), 1.0)
    await year.run(inbox.accept, [hint, odd])
    report = versus(year, catalog(tmp_path / "new", {"channels/generic/order.toml": TITLE}))
    assert (report.compared, report.unreadable) == (13, 1)


async def test_a_store_without_history_compares_nothing_and_counts_as_seen(rig: Rig, tmp_path: Path) -> None:
    report = versus(rig, catalog(tmp_path / "new", {"channels/generic/order.toml": TITLE}))
    assert report.compared == 0
    await rig.run(history.keep, report, "ann")
    (seen,) = await rig.read(kept.diffs, ORDER, report.new)
    assert (seen["actor"], seen["old"], seen["report"]["compared"]) == ("ann", report.old, 0)


async def test_reports_are_kept_a_bounded_number_of_them(rig: Rig, tmp_path: Path) -> None:
    report = versus(rig, catalog(tmp_path / "new", {"channels/generic/order.toml": TITLE}))
    for _ in range(kept.DIFFS_KEPT + 5):
        await rig.run(history.keep, report, "ann")
    assert len(await rig.read(kept.diffs, ORDER, report.new)) == kept.DIFFS_KEPT


async def test_a_destination_mapping_is_held_against_the_documents_that_went_there(
    make_rig: Callable[..., Rig], tmp_path: Path
) -> None:
    toml = ONE.replace('kind = "http"', 'kind = "http"\nmapping = "kingdee"')
    rig = make_rig(toml)
    for number in range(3):
        await rig.push(order(f"W{number}"))
    await rig.work()
    name = "destinations/kingdee/order"
    assert versus(rig, rig.hub.catalog, name).unchanged == 3
    change = swap("buyer_note || ''", "buyer_note || receiver.name")
    report = versus(rig, catalog(tmp_path / "new", {"destinations/kingdee/order.toml": change}), name)
    assert (report.compared, report.changed) == (3, 3)
    sample = report.fields["data.Model.FNote"].samples[0]
    assert sample["document"] == 1
    assert (sample["old"], sample["new"]) == ("text of 3 characters (masked)", "text of 12 characters (masked)")


def test_the_report_is_json(tmp_path: Path) -> None:
    report = Report(ORDER, "a", "b")
    assert Report.from_dict(json.loads(json.dumps(report.as_dict()))) == report


def test_memory_does_not_grow_with_what_is_compared(tmp_path: Path) -> None:
    old, new = catalog(tmp_path / "old", {}), catalog(tmp_path / "new", {"channels/generic/order.toml": TITLE})

    def peak(count: int) -> int:
        """Bytes at most, over so many messages made one by one."""
        rows = (
            {
                "id": n, "tenant": "t", "shop": "s", "channel": "generic", "kind": "order", "key": str(n),
                "body": inbox.compress(json.dumps(order(f"W{n}", note="x" * 500)).encode()),
            }
            for n in range(count)
        )  # fmt: skip
        tracemalloc.start()
        report = history.compare(old, new, ORDER, rows)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.changed == count
        return most

    peak(20)
    few, many = peak(50), peak(800)
    assert many < few + 200_000
