"""A folder of mappings made of texts, and one-line ways to translate with it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from canonical.errors import ConfigError
from hub.mapping.catalog import Catalog
from hub.mapping.translation import Translation

NOW = datetime(2026, 3, 1, tzinfo=UTC)
HEAD = """\
kind = "order"
key = "no"
revision = "changed"
zone = "Asia/Shanghai"
currency = "CNY"

[order]
order_no = "no"
state = { path = "status", table = "state" }
payment = { value = "paid" }
fulfilment = { value = "unshipped" }
"""
TAIL = """
[tables.state]
OPEN = "open"
DONE = "completed"
"""
RECORD = {"no": 9007199254740993, "changed": "2026-02-01 08:00:00", "status": "OPEN"}

Files = dict[str, str]


def lines_only(problems: list[str]) -> list[str]:
    """Problems without their columns, which only tests of columns look at."""
    return [re.sub(r"(\.toml:\d+):\d+:", r"\1:", problem) for problem in problems]


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Files], Catalog]:
    """Write files below mappings/ and give their catalog, not yet loaded."""

    def make(files: Files) -> Catalog:
        for name, text in files.items():
            path = tmp_path / "mappings" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Catalog(tmp_path / "mappings")

    return make


@pytest.fixture
def load_problems(folder: Callable[[Files], Catalog]) -> Callable[..., list[str]]:
    """What loading says about an order mapping with these rows (or about these files)."""

    def problems(rows: str | Files, head: str = HEAD, tail: str = TAIL) -> list[str]:
        files = {"channels/shop/order.toml": head + rows + tail} if isinstance(rows, str) else rows
        with pytest.raises(ConfigError) as caught:
            folder(files).load()
        return lines_only(caught.value.problems)

    return problems


@pytest.fixture
def translate(folder: Callable[[Files], Catalog]) -> Callable[..., Translation]:
    """Translate a record (the usual one and `record`) by an order mapping with these further rows."""

    def run(rows: str, record: Any = None, head: str = HEAD, tail: str = TAIL) -> Translation:
        catalog = folder({"channels/shop/order.toml": head + rows + tail})
        catalog.load()
        given = {**RECORD, **record} if isinstance(record, dict) else RECORD if record is None else record
        translator = catalog.channel("shop", "order")
        return translator.translate(given, tenant="t1", shop="main", channel="shop", now=NOW)

    return run


@pytest.fixture
def document(translate: Callable[..., Translation]) -> Callable[..., Any]:
    """The same, and the document that must come out."""

    def run(*arguments: Any, **options: Any) -> Any:
        result = translate(*arguments, **options)
        assert result.problems == []
        return result.document

    return run


@pytest.fixture
def render(folder: Callable[[Files], Catalog]) -> Callable[..., tuple[Any, list[Any]]]:
    """Render a stock document (the shortest) by a destination's mapping with this body."""

    def run(body: str, given: dict[str, Any] | None = None, head: str = "") -> tuple[Any, list[Any]]:
        text = f'kind = "stock"\n{head}drops = {ALL_OF_STOCK}\n[body]\n{body}'
        catalog = folder({"destinations/wms/stock.toml": text})
        catalog.load()
        return catalog.destination("wms", "stock").render(given or {})

    return run


ALL_OF_STOCK = '["tenant", "sku", "warehouse", "revision", "available", "on_hand", "reserved", "in_transit", "extra"]'


@pytest.fixture
def usual_head() -> str:
    """The usual beginning of an order mapping, for tests that change it."""
    return HEAD
