"""A person changes what a dead letter carries: checked, the original kept, and one of two who act at once is told."""

import json

import httpx
import pytest

from canonical import parse_json
from hub import desk, tending
from hub.desk import NotNow
from hub.store import inbox, outbox
from tests.rig import Rig, order


async def refused(rig: Rig) -> int:
    """One order whose SKU the ERP does not know; the letter's id."""
    rig.answer = lambda r: httpx.Response(422 if b"CUP-1" in r.content else 200, json={"error": "unknown SKU"})
    await rig.push(order())
    await rig.work()
    (letter,) = await rig.open_letters()
    return int(letter["id"])


async def test_the_mended_document_goes_out_and_the_original_stays(rig: Rig) -> None:
    letter = await refused(rig)
    _, original, content = await rig.read(tending.content, letter)
    assert original == content
    wanted = tending.with_values(content, {"lines[0].sku": "CUP-2"})
    told = await rig.run(tending.edit, letter, wanted, "li", expected=0, why="renamed")
    assert told == [("lines[].sku", "CUP-1", "CUP-2")]
    before = rig.seen[-1].headers.get("webhook-id", "")
    await rig.run(desk.replay, [letter], "li")
    await rig.work()
    assert rig.bodies()[-1]["lines"][0]["sku"] == "CUP-2"
    assert rig.seen[-1].headers.get("webhook-id", "-") != before
    assert await rig.states() == ["delivered"]
    row = await rig.read(outbox.get, 1)
    assert parse_json(inbox.decompress(row["body"])) == original
    shown = await rig.read(desk.letter, letter, "support")
    assert [(e["actor"], e["edition"], e["why"]) for e in shown["edits"]] == [("li", 1, "renamed")]
    assert shown["edits"][0]["changes"] == [["lines[].sku", "CUP-1", "CUP-2"]]
    hidden = await rig.read(desk.letter, letter, "viewer")
    assert hidden["edits"][0]["changes"] == [["lines[].sku", "***", "***"]]


async def test_of_two_at_once_one_is_told_who_was_faster(rig: Rig) -> None:
    letter = await refused(rig)
    _, _, content = await rig.read(tending.content, letter)
    await rig.run(tending.edit, letter, tending.with_values(content, {"lines[0].sku": "CUP-2"}), "li", expected=0)
    with pytest.raises(NotNow, match="li changed it before you"):
        await rig.run(tending.edit, letter, content, "wang", expected=0)
    _, _, now = await rig.read(tending.content, letter)
    assert now["lines"][0]["sku"] == "CUP-2"


@pytest.mark.parametrize(
    ("path", "value", "what"),
    [
        ("totals.payable", "9.00", "contradicts itself"),
        ("lines[0].quantity", "many", "does not fit the schema"),
        ("order_no", "W2", "cannot be changed"),
        ("currency", "money", "does not fit the schema"),
    ],
)
async def test_a_document_that_would_not_hold_is_refused(rig: Rig, path: str, value: str, what: str) -> None:
    letter = await refused(rig)
    _, original, content = await rig.read(tending.content, letter)
    with pytest.raises(NotNow, match=what):
        await rig.run(tending.edit, letter, tending.with_values(content, {path: value}), "li", expected=0)
    assert (await rig.read(tending.content, letter))[2] == original


async def test_a_path_that_leads_nowhere_is_told(rig: Rig) -> None:
    letter = await refused(rig)
    _, _, content = await rig.read(tending.content, letter)
    for path in ("lines[7].sku", "liens[0].sku", "lines.sku", ""):
        with pytest.raises(NotNow):
            tending.with_values(content, {path: "x"})


async def test_a_record_that_no_mapping_could_read_is_mended(rig: Rig) -> None:
    await rig.push(order(status="teleported"))
    await rig.work()
    (letter,) = await rig.open_letters()
    _, _, record = await rig.read(tending.content, letter["id"])
    await rig.run(tending.edit, letter["id"], tending.with_values(record, {"status": "paid"}), "li", expected=0)
    await rig.run(desk.replay, [letter["id"]], "li")
    await rig.work()
    assert await rig.states() == ["delivered"]
    assert await rig.open_letters() == []
    row = await rig.read(inbox.get, 1)
    assert json.loads(inbox.decompress(row["body"]))["status"] == "teleported"


async def test_going_back_to_the_original(rig: Rig) -> None:
    letter = await refused(rig)
    _, original, content = await rig.read(tending.content, letter)
    await rig.run(tending.edit, letter, tending.with_values(content, {"lines[0].sku": "CUP-2"}), "li", expected=0)
    assert await rig.run(tending.edit, letter, original, "li", expected=1) == []
    assert (await rig.read(outbox.get, 1))["overlay"] is None
