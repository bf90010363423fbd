"""Changing a mapping over the API, as a console does: look, check, keep, try, compare, activate, go back."""

from typing import Any

from hub.store import audit
from tests.rig import order
from tests.unit.web.visitor import Visitor

AT = "/api/v1/mappings/channels/generic/order"
FILE = "channels/generic/order.toml"


async def texts(visitor: Visitor) -> tuple[str, str]:
    """The version in force, and its file."""
    found = (await visitor.get(AT)).json()
    return found["version"], found["sources"][FILE]


def with_skus(text: str) -> str:
    assert '\ntitle = "title"\n' in text
    return text.replace('\ntitle = "title"\n', '\ntitle = "sku"\n')


async def post(visitor: Visitor, path: str, body: Any, role: str = "operator") -> Any:
    answered = await visitor.post(f"{AT}/{path}", body, role)
    assert answered.status_code < 300, answered.text
    return answered.json()


async def test_a_mapping_is_shown_with_the_origin_of_each_row(visitor: Visitor) -> None:
    found = (await visitor.get(AT)).json()
    [row] = [row for row in found["rows"] if row["key"] == "order.order_no"]
    assert (row["value"], row["file"]) == ("order_no", f"mappings/{FILE}")
    assert found["sources"][FILE].splitlines()[row["line"] - 1].startswith("order_no")
    assert (await visitor.get(f"{AT}s")).status_code == 404


async def test_from_a_draft_to_a_version_in_force_and_back(visitor: Visitor) -> None:
    await visitor.push(order("W1"))
    await visitor.rig.work()
    before, text = await texts(visitor)
    await post(visitor, "activate", {"version": "file"})
    kept = await post(visitor, "versions", {"sources": {FILE: with_skus(text)}, "based_on": before, "why": "SKUs"})
    told = (await visitor.get(f"{AT}/versions")).json()
    assert {v["version"]: v["state"] for v in told["versions"]} == {before: "in force", kept["version"]: "kept"}
    assert (await post(visitor, "test", {"version": kept["version"]}, "support"))["failed"] == []

    refused = await visitor.post(f"{AT}/activate", {"version": kept["version"]}, "operator")
    assert (refused.status_code, refused.json()["code"]) == (409, "mapping.not_ready")
    compared = await post(visitor, "diff", {"new": kept["version"]}, "support")
    assert compared["new"] == kept["version"]
    done = await post(visitor, "activate", {"version": kept["version"], "why": "SKUs", "based_on": before})
    assert done == {"in_force": kept["version"], "was": before, "changed": True, "forced": False}

    await visitor.push(order("W2"))
    await visitor.rig.work()
    assert [body["lines"][0]["title"] for body in visitor.rig.bodies()] == ["杯", "CUP-1"]
    assert (await post(visitor, "rollback", {}))["in_force"] == before
    assert (await post(visitor, "follow", {"why": "git"}))["changed"]
    log = await visitor.rig.read(audit.entries)
    acts = ["mapping.followed", *["mapping.activated"] * 2, "mapping.kept", "mapping.activated"]
    assert [(e["act"], e["actor"]) for e in log] == [(act, "operator-lin") for act in acts]


async def test_who_works_on_an_old_version_is_told(visitor: Visitor) -> None:
    before, text = await texts(visitor)
    first = await post(visitor, "versions", {"sources": {FILE: with_skus(text)}, "based_on": before})
    await post(visitor, "activate", {"version": first["version"]})
    late = await visitor.post(f"{AT}/versions", {"sources": {FILE: text}, "based_on": before}, "operator")
    assert late.status_code == 409
    assert first["version"] in late.json()["detail"]
    stale = await visitor.post(f"{AT}/activate", {"version": "file", "based_on": before}, "operator")
    assert stale.status_code == 409


async def test_a_broken_draft_is_told_with_all_its_problems_and_not_kept(visitor: Visitor) -> None:
    before, text = await texts(visitor)
    broken = text.replace('\ntitle = "title"\n', '\ntitle = "title["\ntitel = "x"\n')
    checked = await post(visitor, "check", {"sources": {FILE: broken}}, "support")
    assert (checked["version"], len(checked["problems"])) == ("", 2)
    answered = await visitor.post(f"{AT}/versions", {"sources": {FILE: broken}, "based_on": before}, "operator")
    assert answered.status_code == 422
    assert len(answered.json()["errors"]) == 2
    assert (await visitor.get(f"{AT}/versions")).json()["versions"] == []


async def test_a_field_is_explained_and_the_cases_are_counted(visitor: Visitor) -> None:
    asked = {"record": order("W1"), "field": "lines[0].amount"}
    told = await post(visitor, "explain", asked, "support")
    assert (told["field"], told["value"]) == ("order.lines[0].amount", "20.00")
    assert told["rule"]["file"] == f"mappings/{FILE}"
    unknown = await visitor.post(f"{AT}/explain", {**asked, "field": "lines[0].amuont"}, "support")
    assert unknown.status_code == 422
    assert "amount" in unknown.text
    assert (await visitor.get(f"{AT}/coverage")).json()["percent"] > 90
