"""What is proposed for a problem of a mapping, and that the edit does what it says."""

from collections.abc import Callable
from typing import Any

import pytest

from hub.mapping.catalog import Catalog
from hub.mapping.remedies import Remedy, remedies
from hub.mapping.translation import Translation
from tests.unit.mapping.conftest import HEAD, NOW, RECORD, TAIL

Make = Callable[[dict[str, str]], Catalog]


class Shop:
    """One mapping, records that fail with it, and records that don't."""

    def __init__(self, catalog: Catalog, name: str = "shop/order") -> None:
        catalog.load()
        self.catalog, self.name = catalog, f"channels/{name}"

    def translate(self, record: dict[str, Any], catalog: Catalog | None = None) -> Translation:
        code, _, kind = self.name.removeprefix("channels/").partition("/")
        translator = (catalog or self.catalog).channel(code, "order", "" if kind == "order" else kind)
        return translator.translate({**RECORD, **record}, tenant="t", shop="s", channel="shop", now=NOW)

    def offers(self, record: dict[str, Any], working: dict[str, Any] | None = None) -> list[Remedy]:
        (problem,) = self.translate(record).problems
        good = [] if working is None else [{**RECORD, **working}]
        mapping = self.catalog.mapping(self.name)
        return remedies(mapping, "mappings", problem, [{**RECORD, **record}], good, {})

    def with_(self, remedy: Remedy) -> Catalog:
        sources = self.catalog.sources(self.name)
        return self.catalog.with_(self.name, {**sources, remedy.file: remedy.apply(sources[remedy.file], "kim")})


def shop_of(folder: Make, rows: str, tail: str = TAIL, **more: str) -> Shop:
    return Shop(folder({"channels/shop/order.toml": HEAD + rows + tail, **more}))


def test_a_branch_that_lacks_is_offered_as_a_default(folder: Make) -> None:
    shop = shop_of(
        folder, "\n[order.lines]\neach = 'rows'\nline_no = { when = [{ if = 'a', path = 'a' }] }\nquantity = 'n'\n"
    )
    assert shop.offers({"rows": [{"n": 1}]}) == []  # a number of a line cannot be made up
    shop = shop_of(folder, "kind = { required = true, when = [{ if = 'gift', value = 'exchange' }] }\n")
    offers = shop.offers({})
    assert [o.keys for o in offers] == [{"default": w} for w in ("normal", "presale", "group_buy", "exchange")]
    assert not any(o.sure for o in offers)
    made = shop.translate({}, shop.with_(offers[0]))
    assert made.document is not None


def test_a_renamed_field_is_found_by_its_likeness(folder: Make) -> None:
    shop = shop_of(folder, "buyer_note = { path = 'message', required = true }\n")
    (offer, *_) = [o for o in shop.offers({"messages": "leave it"}, {"message": "hi"}) if o.what == "path"]
    assert offer.keys == {"path": "messages || message"}
    assert shop.translate({"messages": "leave it"}, shop.with_(offer)).problems == []
    assert shop.translate({"message": "hi"}, shop.with_(offer)).problems == []


def test_a_field_that_was_always_there_is_no_new_home(folder: Make) -> None:
    shop = shop_of(folder, "buyer_note = { path = 'message', required = true }\n")
    found = shop.offers({"messages": "other"}, {"message": "hi", "messages": "other"})
    assert not [o for o in found if o.what == "path"]


def test_a_word_of_a_shared_table_goes_into_its_own_file(folder: Make) -> None:
    rows = "extra.step = { path = 'step', table = 'steps' }\n"
    shop = shop_of(folder, rows, **{"tables/steps.toml": '# all shops\nA = "one"\n'})
    offers = shop.offers({"step": "B"})
    word = next(o for o in offers if o.word)
    assert (word.file, word.at) == ("tables/steps.toml", ())
    assert word.apply('# all shops\nA = "one"\n') == '# all shops\nA = "one"\nB = "one"\n'
    assert shop.translate({"step": "B"}, shop.with_(word)).problems == []


def test_a_row_that_an_overlay_inherits_is_mended_where_it_stands(folder: Make) -> None:
    files = {"channels/shop/order.toml": HEAD + TAIL, "channels/shop/outlet.toml": 'extends = "shop/order"\n[order]\n'}
    shop = Shop(folder(files), "shop/outlet")
    word = next(o for o in shop.offers({"status": "FROZEN"}) if o.keys == {"FROZEN": "open"})
    assert word.file == "channels/shop/order.toml"
    assert shop.translate({"status": "FROZEN"}, shop.with_(word)).problems == []


@pytest.mark.parametrize("value", ["0000-00-00 00:00:00", "-", "N/A"])
def test_a_row_in_a_list_of_parts_is_found_by_its_place(folder: Make, value: str) -> None:
    rows = "\n[[order.payments]]\neach = 'pays'\nmethod = 'how'\n\n[[order.payments]]\neach = 'more'\npaid_at = 'at'\n"
    shop = shop_of(folder, rows)
    record = {"more": [{"at": value}]}
    offer = next(o for o in shop.offers(record) if o.what == "absent")
    assert (offer.at, offer.sure) == (("order", "payments", 1, "paid_at"), True)
    assert shop.translate(record, shop.with_(offer)).problems == []


def test_a_value_that_says_something_is_absent_only_by_choice(folder: Make) -> None:
    offers = shop_of(folder, "paid_at = 'at'\n").offers({"at": "next monday"})
    assert [(o.keys, o.sure) for o in offers] == [({"absent": ["next monday"]}, False)]


def test_personal_values_are_never_offered(folder: Make) -> None:
    shop = shop_of(folder, "receiver.phone = 'tel'\n")
    assert "13912345678" not in repr(shop.offers({"tel": ["13912345678"]}))
    shop = shop_of(folder, "paid_at = 'at'\n")
    assert "13912345678" not in repr(shop.offers({"status": "13912345678"}) + shop.offers({"at": "+86 13912345678"}))
