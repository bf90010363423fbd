"""Overlays, shared tables, versions, several files of one kind, a shop's own mapping."""

from collections.abc import Callable
from pathlib import Path

import pytest

from canonical.errors import ConfigError
from hub.mapping.cases import run_cases
from hub.mapping.catalog import Catalog
from hub.mapping.rows import is_row
from tests.unit.mapping.conftest import HEAD, TAIL, Files

MAPPINGS = Path(__file__).parents[3] / "mappings"

TABLE = "\n[tables.state]\nOPEN = 'open'\n"


def order(catalog, record, overlay="", code="shop"):
    given = {"no": 1, "changed": "2026-02-01 08:00:00", "status": "OPEN", **record}
    translator = catalog.channel(code, "order", overlay)
    return translator.translate(given, tenant="t", shop="s", channel=code, now=None)


@pytest.fixture
def loaded(folder):
    def make(files):
        catalog = folder(files)
        catalog.load()
        return catalog

    return make


def test_an_overlay_changes_single_rows_and_words(loaded, usual_head):
    catalog = loaded(
        {
            "channels/shop/order.toml": usual_head + 'buyer_note = { path = "a", default = "d" }\n' + TABLE,
            "channels/shop/outlet.toml": """
                extends = "shop/order"
                [order]
                buyer_note = { path = "b" }
                totals.paid = "p"
                [tables.state]
                PARKED = "open"
            """,
        }
    )
    plain = order(catalog, {"a": "x", "b": "y", "p": "5"}).document
    assert (plain.buyer_note, plain.totals.paid) == ("x", None)
    mine = order(catalog, {"a": "x", "b": "y", "p": "5", "status": "PARKED"}, "outlet").document
    assert (mine.buyer_note, str(mine.totals.paid)) == ("y", "5.00")
    assert order(catalog, {}, "shop/outlet").document.buyer_note is None  # the row was replaced whole, default and all
    assert order(catalog, {}, "outlet").mapping_version.startswith("shop/outlet@")
    assert [p.rule for p in order(catalog, {"status": "LOST"}, "outlet").problems] == ["shop/outlet: order.state"]


def test_an_overlay_of_an_overlay(loaded, usual_head):
    catalog = loaded(
        {
            "channels/shop/order.toml": usual_head + 'buyer_note = "a"\ndisplay_no = "a"\n' + TABLE,
            "channels/shop/b.toml": 'extends = "shop/order"\n[order]\nbuyer_note = "b"\n',
            "channels/shop/c.toml": 'extends = "shop/b"\n[order]\nseller_note = "c"\n',
        }
    )
    found = order(catalog, {"a": "A", "b": "B", "c": "C"}, "c").document
    assert (found.display_no, found.buyer_note, found.seller_note) == ("A", "B", "C")


def test_arrays_are_replaced(loaded, usual_head):
    holds = '[[order.holds]]\ncode = { value = "test_order" }\n'
    catalog = loaded(
        {
            "channels/shop/order.toml": usual_head + holds + TABLE,
            "channels/shop/b.toml": 'extends = "shop/order"\n[[order.holds]]\ncode = { value = "risk_review" }\n',
        }
    )
    assert [h.code for h in order(catalog, {}, "b").document.holds] == ["risk_review"]


def test_an_overlay_for_orders_leaves_refunds_alone(loaded, usual_head):
    refund = 'kind="refund"\nkey="id"\nrevision="t"\ncurrency="CNY"\n[refund]\nrefund_no="id"\norder_no="no"\n'
    refund += 'kind={value="refund_only"}\nstate={value="requested"}\n'
    catalog = loaded(
        {
            "channels/shop/order.toml": usual_head + TABLE,
            "channels/shop/refund.toml": refund,
            "channels/shop/b.toml": 'extends = "shop/order"\n[order]\nbuyer_note = "b"\n',
            "channels/shop/c-order.toml": 'extends = "shop/order"\n[order]\nbuyer_note = "c"\n',
            "channels/shop/c-refund.toml": 'extends = "shop/refund"\n[refund]\nreason = "c"\n',
        }
    )
    assert catalog.channel("shop", "refund", "b").version.startswith("shop/refund@")
    assert catalog.channel("shop", "refund", "c").version.startswith("shop/c-refund@")
    assert catalog.channel("shop", "order", "c").version.startswith("shop/c-order@")
    record = {"id": 5, "no": 7, "t": 1717214400}
    result = catalog.channel("shop", "refund").translate(record, tenant="t", shop="s", channel="shop", now=None)
    assert (result.key, result.subject, result.document.refund_no) == ("5", "7", "5")


def test_a_folder_of_its_own_for_one_shop(loaded, usual_head):
    catalog = loaded(
        {
            "channels/generic/order.toml": usual_head + TABLE,
            "channels/my-site/order.toml": 'extends = "generic/order"\n[order]\nbuyer_note = "b"\n',
        }
    )
    assert order(catalog, {"b": "x"}, "my-site", code="generic").mapping_version.startswith("my-site/order@")
    assert order(catalog, {"b": "x"}, code="generic").document.buyer_note is None


def test_what_is_not_there_is_told_with_the_nearest(loaded, usual_head):
    catalog = loaded(
        {
            "channels/shop/order.toml": usual_head + TABLE,
            "channels/shop/outlet.toml": 'extends = "shop/order"\n',
        }
    )
    for arguments, told in (
        (("shop", "refund"), "no mapping for 'refund' in|no mapping for 'refund'; there are: order"),
        (("shopp", "order"), "mappings/channels/shopp: no mapping for 'order'; there are: none"),
        (("shop", "order", "outlat"), "no mapping 'shop/outlat', did you mean shop/outlet"),
    ):
        with pytest.raises(ConfigError, match=told):
            catalog.channel(*arguments)
    with pytest.raises(ConfigError, match="no destination mapping 'erp/order'; there are: none"):
        catalog.destination("erp")


def test_shared_tables_and_a_file_s_own(loaded, usual_head):
    catalog = loaded(
        {
            "tables/state.toml": 'OPEN = "open"\n',
            "channels/shop/order.toml": usual_head,
            "channels/other/order.toml": usual_head + '[tables.state]\nOPEN = "completed"\n',
        }
    )
    assert order(catalog, {}).document.state == "open"
    assert order(catalog, {}, code="other").document.state == "completed"
    hint = order(catalog, {"status": "X"}).problems[0].hint
    assert "mappings/tables/state.toml" in hint


def test_versions_are_hashes_of_what_a_file_means(loaded, usual_head):
    def version(**changes):
        files = {
            "tables/state.toml": 'OPEN = "open"\n',
            "tables/unused.toml": 'A = "b"\n',
            "channels/shop/order.toml": usual_head,
            "channels/shop/b.toml": 'extends = "shop/order"\n[order]\nbuyer_note = "b"\n',
        }
        catalog = loaded({**files, **{name.replace("__", "/") + ".toml": text for name, text in changes.items()}})
        return catalog.channel("shop", "order").version, catalog.channel("shop", "order", "b").version

    first = version()
    assert first[0].startswith("shop/order@")
    assert len(first[0]) == len("shop/order@") + 8
    assert version() == first
    assert version(channels__shop__order="# a note\n" + usual_head.replace("\n\n", "\n# another\n\n")) == first
    assert version(tables__unused='A = "c"\n') == first
    words = version(tables__state='OPEN = "open"\nSHUT = "completed"\n')
    assert words[0] != first[0]
    assert words[1] != first[1]  # the parent's table counts
    rows = version(channels__shop__order=usual_head + 'display_no = "x"\n')
    assert rows[0] != first[0]
    assert rows[1] != first[1]
    over = version(channels__shop__b='extends = "shop/order"\n[order]\nbuyer_note = "c"\n')
    assert over[0] == first[0]
    assert over[1] != first[1]


def test_several_files_of_one_kind_share_the_records(loaded, usual_head):
    graph = usual_head.replace('key = "no"', 'key = "no"\naccepts = "gid"').replace(
        'order_no = "no"', 'order_no = "gid"'
    )
    catalog = loaded(
        {
            "channels/shop/order.toml": usual_head + TABLE,
            "channels/shop/order-graph.toml": graph + TABLE,
            "channels/shop/zz.toml": 'extends = "shop/order"\naccepts = "zz"\n[order]\nbuyer_note = "zz"\n',
        }
    )
    assert order(catalog, {}).document.order_no == "1"
    assert order(catalog, {"gid": "g"}).document.order_no == "g"
    assert order(catalog, {"gid": "g"}).mapping_version.startswith("shop/order-graph@")
    assert order(catalog, {"zz": "note"}).document.buyer_note == "note"
    assert catalog.channel("shop", "order").version.count("@") == 3


def test_a_record_that_no_file_accepts(loaded, usual_head):
    text = usual_head.replace('key = "no"', 'key = "no"\naccepts = "contains(shape, \'new\')"') + TABLE
    catalog = loaded({"channels/shop/order.toml": text})
    for record in ({}, {"shape": "old"}, {"shape": 5}):
        result = order(catalog, record)
        assert [(p.code, p.path) for p in result.problems] == [("mapping.no_branch", "contains(shape, 'new')")]
        assert result.key == "1"


def test_a_file_is_one_mapping_by_name(loaded, usual_head):
    catalog = loaded({"channels/shop/order.toml": usual_head + TABLE})
    assert catalog.names() == ["channels/shop/order"]
    mapping = catalog.mapping("channels/shop/order")
    assert (mapping.kind, mapping.file) == ("order", "mappings/channels/shop/order.toml")
    assert run_cases(catalog) == []


@pytest.mark.parametrize("value", ["x", 5, {"path": "x"}, {"value": 1}, {"when": [{"if": "a", "path": "b"}]}])
def test_what_is_one_row(value):
    assert is_row(value)


@pytest.mark.parametrize("value", [{}, {"paid": "x"}, {"when": [{"set": {}}]}, {"fields": {"path": "x"}}, []])
def test_what_is_an_object_or_a_list(value):
    assert not is_row(value)


def test_every_shipped_mapping_is_complete_in_its_sources() -> None:
    catalog = Catalog(MAPPINGS)
    catalog.load()
    for name in catalog.names():
        empty = Catalog(MAPPINGS / "none", {name: catalog.sources(name)})
        empty.load_what_can_be()
        assert empty.mapping(name).version == catalog.mapping(name).version
        assert catalog.with_(name, catalog.sources(name)).mapping(name).version == catalog.mapping(name).version


def test_the_same_texts_are_compiled_once(folder: Callable[[Files], Catalog]) -> None:
    name = "channels/shop/order"
    catalog = folder({f"{name}.toml": HEAD + TAIL})
    catalog.load()
    before = catalog.mapping(name)
    again = Catalog(catalog.folder)
    again.load()
    assert again.mapping(name) is before
    (catalog.folder / f"{name}.toml").write_text(HEAD + 'buyer_note = "memo"\n' + TAIL, encoding="utf-8")
    again.load()
    assert again.mapping(name).version != before.version
    assert catalog.mapping(name) is before


def test_a_pinned_mapping_holds_whatever_lies_on_disk(folder: Callable[[Files], Catalog]) -> None:
    path = "channels/shop/order.toml"
    files = {path: HEAD + TAIL, "channels/shop/outlet.toml": 'extends = "shop/order"\n[order]\nextra.n = "n"\n'}
    catalog = folder(files)
    catalog.load()
    old = catalog.mapping("channels/shop/order").version
    pinned = catalog.with_("channels/shop/order", {path: HEAD + 'buyer_note = "memo"\n' + TAIL})
    new = pinned.mapping("channels/shop/order").version
    assert (catalog.mapping("channels/shop/order").version, new != old) == (old, True)
    assert pinned.mapping("channels/shop/outlet").version != catalog.mapping("channels/shop/outlet").version
    (pinned.folder / path).write_text("not = [toml", encoding="utf-8")
    pinned.load()
    assert pinned.mapping("channels/shop/order").version == new
    (pinned.folder / "channels/shop/outlet.toml").write_text("not = [toml", encoding="utf-8")
    with pytest.raises(ConfigError):
        pinned.load()
    with pytest.raises(ConfigError):
        pinned.repin({})  # the file that would hold then is broken
    assert pinned.mapping("channels/shop/order").version == new
    (pinned.folder / "channels/shop/outlet.toml").write_text(files["channels/shop/outlet.toml"], encoding="utf-8")
    (pinned.folder / path).write_text(HEAD + 'seller_note = "x"\n' + TAIL, encoding="utf-8")
    pinned.load()
    assert pinned.mapping("channels/shop/order").version == new
    assert pinned.sources("channels/shop/outlet")[path].count("memo") == 1


def test_sources_with_a_mistake_are_refused_and_change_nothing(folder: Callable[[Files], Catalog]) -> None:
    catalog = folder({"channels/shop/order.toml": HEAD + TAIL})
    catalog.load()
    with pytest.raises(ConfigError) as caught:
        catalog.with_("channels/shop/order", {"channels/shop/order.toml": HEAD + 'nonsense = "x"\n' + TAIL})
    assert "unknown field of order 'nonsense'" in caught.value.problems[0]
    assert catalog.names() == ["channels/shop/order"]
