"""`hub mapping new`: a mapping drafted, written and tried; nothing overwritten; bad samples told."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.terminal import Terminal

ORDER: dict[str, Any] = {
    "id": 81, "status": "paid", "created": "2026-03-01T09:30:00Z", "changed": "2026-03-01T09:31:12Z", "currency": "EUR",
    "total": "9.80", "phone": "+49 30 123456",
    "items": [{"id": 1, "sku": "MUG", "qty": 2, "price": "4.90", "amount": "9.80"}],
}  # fmt: skip


@pytest.fixture
def site(bare: Terminal) -> Terminal:
    """A folder with a sample and a mappings folder of its own."""
    (bare.folder / "mappings").mkdir()
    (bare.folder / "hub.toml").write_text('[hub]\nmappings = "mappings"\n')
    (bare.folder / "order.json").write_text(json.dumps({"data": [ORDER]}))
    return bare


def test_a_draft_is_written_and_what_it_makes_is_told(site: Terminal) -> None:
    done = site("mapping", "new", "harbor", "--sample", "order.json")
    assert done.code == 0, done.err
    assert "mappings/channels/harbor/order.toml" in done.out
    assert "of 1 record(s) in the sample 1 go through" in done.out
    assert "hub map generic order.json --shop harbor" in done.out
    data = tomllib.loads((site.folder / "mappings/channels/harbor/order.toml").read_text())
    assert data["order"]["order_no"] == "id"


def test_the_shop_that_it_prints_makes_it_run(site: Terminal) -> None:
    made = json.loads(site("mapping", "new", "harbor", "--sample", "order.json", "--json").out)
    with (site.folder / "hub.toml").open("a") as file:
        file.write("\n" + made["shop"] + '\n[destinations.a]\nkind = "file"\npath = "a"\n')
    done = site("map", "generic", "order.json", "--shop", "harbor", "--json")
    assert [d["order_no"] for d in json.loads(done.out)["documents"]] == ["81"]


def test_what_a_person_must_decide_ends_with_1_and_is_told_with_its_line(site: Terminal) -> None:
    (site.folder / "order.json").write_text(json.dumps({**ORDER, "status": 7}))
    done = site("mapping", "new", "harbor", "--sample", "order.json")
    assert done.code == 1
    lines = (site.folder / "mappings/channels/harbor/order.toml").read_text().splitlines()
    number = lines.index('# 7 = "..."  # TO DECIDE') + 1
    assert f"line {number}: # 7" in done.out
    assert 'order.state: found "7"' in done.err or "order.state: found 7" in done.err


def test_nothing_is_overwritten_without_force(site: Terminal) -> None:
    file = site.folder / "mappings/channels/harbor/order.toml"
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    done = site("mapping", "new", "harbor", "--sample", "order.json")
    assert (done.code, file.read_text()) == (3, "mine")
    assert "--force" in done.err
    file.unlink()
    assert site("mapping", "new", "harbor", "--sample", "order.json").code == 0
    beside = site("mapping", "new", "harbor", "--sample", "order.json", "--name", "other")
    assert "TO DECIDE: for which records this one is" in (file.parent / "other.toml").read_text()
    assert "accepts: " in beside.out
    assert site("mapping", "list").code == 0
    file.write_text("mine")
    assert site("mapping", "new", "harbor", "--sample", "order.json", "--force").code == 0
    assert file.read_text() != "mine"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "empty"),
        ("nope", "neither JSON nor XML"),
        ("[1]", "single values"),
        ('{"error": "bad token"}', "error answer"),
    ],
)
def test_a_file_that_is_no_sample_is_told(site: Terminal, content: str, told: str) -> None:
    (site.folder / "order.json").write_text(content)
    done = site("mapping", "new", "harbor", "--sample", "order.json")
    assert done.code == 1
    assert told in done.err
    assert "try:" in done.err
    assert not (site.folder / "mappings/channels").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("../x", "--sample", "order.json"),
        ("a", "--sample", "gone.json"),
        ("a", "--sample", "order.json", "--kind", "x"),
    ],
)
def test_wrong_usage_is_2(site: Terminal, arguments: tuple[str, ...]) -> None:
    assert site("mapping", "new", *arguments).code == 2


def test_the_mappings_of_an_installed_hub_are_not_written_into(bare: Terminal) -> None:
    Path("order.json").write_text(json.dumps(ORDER))
    done = bare("mapping", "new", "harbor", "--sample", "order.json")
    assert done.code == 2
    assert "mappings" in done.err


def test_a_platforms_sample_is_read_as_its_adapter_reads_it(site: Terminal) -> None:
    page = {"trades_sold_get_response": {"trades": {"trade": [
        {"tid": 41, "status": "WAIT_SELLER_SEND_GOODS", "created": "2026-03-01 09:00:00",
         "modified": "2026-03-01 09:01:00",
         "post_fee": "0.00"}
    ]}}}  # fmt: skip
    (site.folder / "page.json").write_text(json.dumps(page))
    made = json.loads(site("mapping", "new", "taobao", "-s", "page.json", "--json").out)
    assert made["shop"] == ""
    assert next(r["row"] for r in made["rows"] if r["field"] == "order_no") == "tid"
    (site.folder / "page.json").write_text('{"error_response": {"code": 27, "msg": "Invalid session"}}')
    assert "failed call" in site("mapping", "new", "taobao", "-s", "page.json", "--force").err


def test_secrets_need_not_be_set_for_a_draft(site: Terminal) -> None:
    with (site.folder / "hub.toml").open("a") as file:
        file.write(
            '[shops.a]\nchannel = "generic"\nsignature = { scheme = "token", header = "x", secret = "env:NOT_SET" }\n'
        )
    assert site("mapping", "new", "harbor", "--sample", "order.json").code == 0


def test_a_folder_that_is_not_there_yet_is_made(bare: Terminal) -> None:
    Path("order.json").write_text(json.dumps(ORDER))
    done = bare("mapping", "new", "shopify", "--sample", "order.json", "--mappings", "own")
    assert done.code in (0, 1)
    assert "accepts" not in Path("own/channels/shopify/order.toml").read_text()
