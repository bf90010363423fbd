"""`hub bench mapping`: the four ways give one draft, and the figures have their names."""

from pathlib import Path

import pytest

from hub.bench import mapping
from hub.mapping.catalog import Catalog
from tests.unit.cli.terminal import Terminal

MAPPINGS = Path(__file__).parents[3] / "mappings"
RATIOS = {"times_faster_than_search", "times_faster_than_interpreter", "times_of_handwritten"}


@pytest.mark.parametrize("platform", mapping.GOALS)
def test_all_ways_give_the_same_draft(platform: str) -> None:
    catalog = Catalog(MAPPINGS)
    catalog.load()
    ways = mapping.ways_of(catalog, platform)
    drafts = [ways[name]() for name in ("mapping", "search", "interpreter", "handwritten")]
    assert drafts[0]["lines"]
    assert all(draft == drafts[0] for draft in drafts)
    assert ways["validation"]().order_no == drafts[0]["order_no"]
    assert drafts[0]["order_no"].encode() in ways["serialisation"]()


def test_a_mapping_that_disagrees_with_the_one_by_hand_is_told(tmp_path: Path) -> None:
    text = (MAPPINGS / "channels/taobao/order.toml").read_text("utf-8")
    file = tmp_path / "mappings/channels/taobao/order.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text.replace('seller_note = { path = "seller_memo"', 'seller_note = { path = "title"'), "utf-8")
    catalog = Catalog(tmp_path / "mappings")
    catalog.load()
    with pytest.raises(ValueError, match="handwritten gives another draft"):
        mapping.ways_of(catalog, "taobao")


def test_figures_are_told_to_machines_and_people(bare: Terminal) -> None:
    told = bare("bench", "mapping", "--rounds", "1", "--json")
    assert told.code == 0
    assert told.json.keys() == {"taobao", "shopify"}
    assert told.json["shopify"].keys() > RATIOS
    assert all(told.json["taobao"][name] > 0 for name in RATIOS)
    shown = bare("bench", "mapping", "--rounds", "1")
    assert "at least 15" in shown.out
    assert "microseconds of CPU" in shown.out


def test_a_replay_is_measured_beside_live_orders(bare: Terminal) -> None:
    words = ("--letters", "1000", "--rate", "10", "--seconds", "1", "--json")
    told = bare("bench", "replay", *words)
    assert told.code == 0, told.err
    assert told.json["lost"] == 0
    assert told.json["letters"] == 1000
    assert told.json["beside_p99_ms"] > 0


def test_the_whole_path_is_measured_beside_a_bare_loop_and_an_empty_hub(bare: Terminal) -> None:
    told = bare("bench", "flow", "--orders", "20", "--json")
    assert told.code == 0, told.err
    assert (told.json["orders"], told.json["lost"], told.json["duplicates"]) == (20, 0, 0)
    assert told.json["ratio_to_empty"] == pytest.approx(
        told.json["delivered_per_s"] / told.json["empty_per_s"], abs=0.01
    )
    assert told.json["bare_per_s"] > 0
