"""Groups of dead letters mended by a row of the mapping: proposed, tried, written, replayed; on both databases."""

import json
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub import desk, wiring
from hub.desk import NotFound, NotNow
from hub.mapping.remedies import Remedy
from hub.store import audit
from hub.workbench import mending
from hub.workbench.mending import Bench, Group, NotMendable, Plan
from tests.rig import Rig, order

SHIPPED = Path(__file__).parents[2] / "mappings" / "channels" / "generic"
MakeRig = Callable[..., Rig]


@pytest.fixture
def site(make_rig: MakeRig, tmp_path: Path) -> Rig:
    """A shop whose mapping is a copy of its own, with a row that must have a value."""
    folder = tmp_path / "mappings" / "channels" / "site"
    shutil.copytree(SHIPPED, folder)
    file = folder / "order.toml"
    text = file.read_text().replace('title = "title"', 'title = { path = "title", required = true }   # as shown')
    file.write_text(text)
    return make_rig(mapping="site", mappings="mappings")


def bench(rig: Rig) -> Bench:
    return Bench(rig.hub.store, rig.hub.catalog, rig.hub.shops, rig.hub.config)


def file_of(rig: Rig) -> Path:
    return rig.hub.catalog.folder / "channels" / "site" / "order.toml"


async def died(rig: Rig, *records: Any) -> Group:
    """The one group of letters that these make."""
    for record in records:
        await rig.push(record)
    await rig.work()
    letters = await rig.open_letters()
    assert len({letter["fingerprint"] for letter in letters}) == 1, [letter["title"] for letter in letters]
    group: Group = await rig.read(lambda c: mending.group_of(bench(rig), c, letters[0]["fingerprint"][:6]))
    assert group.name == "channels/site/order"
    return group


def offered(group: Group, what: str) -> list[Remedy]:
    return [r for finding in group.findings for r in finding.remedies if r.what == what]


async def mended(rig: Rig, group: Group, *chosen: Remedy) -> Plan:
    """Plan, write, replay, and let the hub work: nothing is left."""
    plan = mending.plan(bench(rig), group, chosen, "kim: why")
    assert plan.letters_mended == len(group.letters), plan.left
    done = await rig.run(lambda c: mending.carry_out(bench(rig), c, plan, "kim"))
    assert done.written == ["channels/site/order.toml"]
    await rig.run(lambda c: desk.replay(c, group.letters, "kim"))
    await rig.work()
    assert await rig.open_letters() == []
    log = await rig.read(audit.entries)
    assert [(e["act"], e["actor"]) for e in log if e["act"] == mending.ACT] == [(mending.ACT, "kim")]
    return plan


async def test_a_word_is_offered_the_nearest_first_and_goes_into_its_table(site: Rig) -> None:
    group = await died(site, *(order(f"S{n}", status="awaiting_pickup") for n in range(3)))
    words = offered(group, "word")
    assert [set(r.keys) for r in words] == [{"awaiting_pickup"}] * 3
    assert not any(r.sure for r in group.findings[0].remedies)
    chosen = next(r for r in words if r.keys["awaiting_pickup"] == "open")
    plan = await mended(site, group, chosen)
    assert [line for line in plan.diff.splitlines()[2:] if line[0] in "+-"] == ['+awaiting_pickup = "open"  # kim: why']
    data = tomllib.loads(file_of(site).read_text())
    assert data["tables"]["state"]["awaiting_pickup"] == "open"


async def test_a_word_that_another_mapping_knows_comes_first_with_its_source(site: Rig) -> None:
    folder = site.hub.catalog.folder / "channels" / "berg"
    folder.mkdir()
    text = file_of(site).read_text().replace("[tables.state]", '[tables.state]\nAUF_LAGER = "open"')
    (folder / "order.toml").write_text(text)
    site.hub.catalog.load()
    group = await died(site, order("S1", status="AUF_LAGER"))
    assert (offered(group, "word")[0].keys, offered(group, "word")[0].why) == (
        {"AUF_LAGER": "open"},
        "as in berg/order",
    )


async def test_a_refunds_word_is_offered_for_a_state_with_a_warning_only(site: Rig) -> None:
    group = await died(site, order("S1", status="refund_success"))
    assert all("never changes an order's state" in r.why for r in offered(group, "word"))


async def test_a_path_that_moved_is_found_by_what_worked_before(site: Rig) -> None:
    await site.push(order("W1"))
    await site.push(order("W2"))
    moved = []
    for n in range(3):
        record = order(f"S{n}")
        record["items"][0]["product"] = {"title": record["items"][0].pop("title"), "weight": 3}
        moved.append(record)
    group = await died(site, *moved)
    (first, *_) = offered(group, "path")
    assert (first.keys, first.sure) == ({"path": "product.title || title"}, True)
    plan = await mended(site, group, first)
    line = 'title = { path = "product.title || title", required = true }   # as shown'
    assert line in file_of(site).read_text().splitlines()
    assert plan.report is not None
    assert (plan.report.failing, plan.report.unchanged) == (0, 2)


async def test_a_value_that_became_an_object_is_read_inside_of_it(site: Rig) -> None:
    await site.push(order("W1"))
    group = await died(site, order("S1", total={"value": "20.00", "currency": "CNY"}))
    first = offered(group, "path")[0]
    assert first.keys == {"path": "total.value || total"}
    await mended(site, group, first)


async def test_a_time_that_means_not_yet_becomes_absent(site: Rig) -> None:
    group = await died(site, *(order(f"S{n}", shipped_at="0000-00-00 00:00:00") for n in range(2)))
    first = offered(group, "absent")[0]
    assert (first.keys, first.sure) == ({"absent": ["0000-00-00 00:00:00"]}, True)
    await mended(site, group, first)
    line = 'shipped_at = { path = "shipped_at", as = "time", absent = ["0000-00-00 00:00:00"] }'
    assert line in file_of(site).read_text()


async def test_an_expression_is_guarded_so_that_it_evaluates(make_rig: MakeRig, tmp_path: Path) -> None:
    folder = tmp_path / "mappings" / "channels" / "site"
    shutil.copytree(SHIPPED, folder)
    file = folder / "order.toml"
    file.write_text(file.read_text().replace('tags = "tags"', "extra.first = \"starts_with(tag, 'a')\""))
    rig = make_rig(mapping="site", mappings="mappings")
    group = await died(rig, order("S1"))
    first = offered(group, "guard")[0]
    assert first.keys == {"path": "starts_with(tag || '', 'a')"}
    await mended(rig, group, first)


async def test_red_cases_are_told(site: Rig) -> None:
    case = {"given": {**order("C1"), "status": "frozen"}, "problems": ["mapping.unknown_word"]}
    folder = file_of(site).parent / "cases"
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "order-frozen.json").write_text(json.dumps(case))
    group = await died(site, order("S1", status="frozen"))
    chosen = next(r for r in offered(group, "word") if r.keys["frozen"] == "open")
    plan = mending.plan(bench(site), group, [chosen], "kim")
    assert [case.case for case in plan.failed_cases] == ["order-frozen"]


async def test_a_file_that_changed_meanwhile_is_not_overwritten(site: Rig) -> None:
    group = await died(site, order("S1", status="frozen"))
    plan = mending.plan(bench(site), group, offered(group, "word")[:1], "kim")
    other = file_of(site).read_text() + "\n# somebody else\n"
    file_of(site).write_text(other)
    with pytest.raises(NotNow, match="changed in the meantime"):
        await site.run(lambda c: mending.carry_out(bench(site), c, plan, "kim"))
    assert file_of(site).read_text() == other
    assert not [e for e in await site.read(audit.entries) if e["act"] == mending.ACT]


async def test_a_folder_that_cannot_be_written_has_a_version_activated(site: Rig) -> None:
    group = await died(site, order("S1", status="frozen"))
    plan = mending.plan(bench(site), group, offered(group, "word")[:1], "kim")
    before = file_of(site).read_text()
    site.hub.catalog.pins["channels/site/order"] = site.hub.catalog.sources("channels/site/order")
    done = await site.run(lambda c: mending.carry_out(bench(site), c, plan, "kim"))
    assert (done.written, file_of(site).read_text()) == ([], before)
    assert done.version.startswith("site/order@")
    assert "+frozen = " in done.by_hand
    await site.run(lambda c: desk.replay(c, group.letters, "kim"))
    await site.work()
    assert await site.open_letters() == []  # the version is in force


async def test_personal_values_come_neither_out_nor_into_the_file(site: Rig) -> None:
    record = order("S1")
    record["address"]["phone"] = {"number": "13912345678"}
    group = await died(site, record)
    shown = json.dumps([r.as_dict() for r in group.findings[0].remedies], ensure_ascii=False)
    assert "13912345678" not in shown + str(group.findings[0].problem)
    await mended(site, group, offered(group, "path")[0])
    assert "13912345678" not in file_of(site).read_text()


async def test_what_no_row_causes_is_told(site: Rig) -> None:
    await site.push(order("S1", total="21.00"))
    await site.work()
    (letter,) = await site.open_letters()
    with pytest.raises(NotMendable, match=r"check\.totals"):
        await site.read(lambda c: mending.group_of(bench(site), c, letter["fingerprint"]))
    with pytest.raises(NotFound):
        await site.read(lambda c: mending.group_of(bench(site), c, "ffff"))


async def test_a_running_hub_takes_the_mended_file(site: Rig) -> None:
    """The hub that maps may be another process: it looks at the files before each batch."""
    group = await died(site, order("S1", status="frozen"))
    other = wiring.build(site.path)
    aside = Bench(other.store, other.catalog, other.shops, other.config)
    chosen = next(r for r in offered(group, "word") if r.keys["frozen"] == "open")
    plan = mending.plan(aside, group, [chosen], "kim")
    await other.store.run(lambda c: mending.carry_out(aside, c, plan, "kim"))
    await other.store.run(lambda c: desk.replay(c, group.letters, "kim"))
    other.store.close()
    await site.work()
    assert await site.states() == ["delivered"]


KEPT = (
    "drops = ['tenant', 'shop', 'channel', 'display_no', 'group_no', 'revision', 'kind', 'holds', 'shippable', 'cod', "
    "'currency', 'totals', 'placed_at', 'paid_at', 'shipped_at', 'completed_at', 'cancelled_at', 'ship_by', "
    "'cancel_reason', 'buyer', 'receiver', 'lines', 'payments', 'discounts', 'presale', 'invoice', 'buyer_note', "
    "'seller_note', 'tags', 'extra', 'fulfilment', 'state']"
)
ERP = """
[destinations.erp]
kind = "http"
url = "https://erp.example.com/documents"
mapping = "erp"
[[routes]]
on = "order"
to = ["erp"]
"""


async def test_a_destinations_table_is_mended_the_same_way(make_rig: MakeRig, tmp_path: Path) -> None:
    folder = tmp_path / "mappings"
    shutil.copytree(SHIPPED, folder / "channels" / "generic")
    file = folder / "destinations" / "erp" / "order.toml"
    file.parent.mkdir(parents=True)
    rows = 'no = "order_no"\npay = { path = "payment", table = "pay" }\n[tables.pay]\nunpaid = "N"  # nothing came in\n'
    file.write_text(f'kind = "order"\n{KEPT}\n[body]\n{rows}')
    rig = make_rig(ERP, mapping="generic", mappings="mappings")
    await rig.push(order("S1"))
    await rig.work()
    (letter,) = await rig.open_letters()
    group = await rig.read(lambda c: mending.group_of(bench(rig), c, letter["fingerprint"]))
    assert group.name == "destinations/erp/order"
    (offer,) = offered(group, "word")
    plan = mending.plan(bench(rig), group, [replace(offer, keys={"paid": "Y"})], "kim")
    assert plan.letters_mended == 1
    await rig.run(lambda c: mending.carry_out(bench(rig), c, plan, "kim"))
    await rig.run(lambda c: desk.replay(c, group.letters, "kim"))
    await rig.work()
    assert rig.bodies() == [{"no": "S1", "pay": "Y"}]
    assert 'unpaid = "N"  # nothing came in\npaid = "Y"  # kim\n' in file.read_text()
