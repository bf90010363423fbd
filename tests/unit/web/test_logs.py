"""Log lines: JSON, complete, and without a secret or a personal datum."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from canonical.errors import ConfigError
from hub import logs
from hub.masking import mask_fields, mask_text
from hub.web.auth import fresh_token


@pytest.fixture
def sink() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)
    structlog.contextvars.clear_contextvars()


def lines(sink: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def test_a_line_has_time_level_event_logger_and_order_first(sink: io.StringIO) -> None:
    logs.configure(json=True, stream=sink)
    structlog.get_logger("hub.flow").info(
        "delivery.attempted", order="4100000000000000123", destination="erp", status=200
    )
    structlog.get_logger("hub.web").warning("listening", port=8080)
    first, second = lines(sink)
    assert list(first)[:5] == ["time", "level", "event", "logger", "order"]
    assert first["time"].endswith("Z")
    assert {k: v for k, v in first.items() if k != "time"} == {
        "level": "info", "event": "delivery.attempted", "logger": "hub.flow", "order": "4100000000000000123",
        "destination": "erp", "status": 200,
    }  # fmt: skip
    assert (second["level"], second["order"], second["port"]) == ("warning", None, 8080)


def test_lines_below_the_level_are_not_written(sink: io.StringIO) -> None:
    logs.configure(json=True, level="warning", stream=sink)
    structlog.get_logger("hub.flow").info("small talk")
    logging.getLogger("some.library").info("small talk")
    assert sink.getvalue() == ""
    with pytest.raises(ConfigError, match="not a log level"):
        logs.configure(json=True, level="loud")


def test_the_standard_library_s_loggers_go_the_same_way(sink: io.StringIO) -> None:
    logs.configure(json=True, stream=sink)
    logging.getLogger("some.library").warning("call %s\nfailed", "buyer@example.com")
    logging.getLogger("some.library").warning("%d", "not a number")
    logging.getLogger("httpx").info("GET https://api.example.com/?access_token=geheim")
    first, second = lines(sink)
    assert (first["logger"], first["level"], first["event"]) == ("some.library", "warning", "call ***@*** failed")
    assert second["event"] == "%d"


def test_an_exception_is_told_without_what_it_quotes(sink: io.StringIO) -> None:
    logs.configure(json=True, stream=sink)
    try:
        raise ValueError("no such phone: 13912345678 [parameters: ('Rosa Lind',)]")
    except ValueError:
        structlog.get_logger("hub.flow").exception("map.failed", order="W1")
    line = lines(sink)[0]
    assert line["level"] == "error"
    assert "Traceback" in line["exception"]
    assert "ValueError" in line["exception"]
    assert "139" not in sink.getvalue()
    assert "Rosa" not in sink.getvalue()


def test_what_json_cannot_say_is_said_as_text(sink: io.StringIO) -> None:
    logs.configure(json=True, stream=sink)
    structlog.get_logger("x").info("odd", lone="a\ud800b", big=2**70, thing=object(), some={1: 2})
    line = lines(sink)[0]
    assert line["event"].strip("'") == "odd"
    assert str(2**70) in line["big"]


def test_context_is_on_every_line(sink: io.StringIO) -> None:
    logs.configure(json=True, stream=sink)
    with structlog.contextvars.bound_contextvars(order="W7"):
        structlog.get_logger("x").info("inside")
    assert lines(sink)[0]["order"] == "W7"


def test_a_terminal_gets_lines_for_people_without_an_empty_order(sink: io.StringIO) -> None:
    logs.configure(json=False, stream=sink)
    structlog.get_logger("x").info("listening", port=8080)
    structlog.get_logger("x").info("delivered", order="W1", phone="13912345678")
    first, second = sink.getvalue().splitlines()
    assert "listening" in first
    assert "order" not in first
    assert "\x1b[" not in first
    assert "order=W1" in second
    assert "139" not in second


SECRETS: list[tuple[str, Any]] = [
    ("access_token", "abc"), ("appSecret", "abc"), ("password", "abc"), ("authorization", "Bearer abc"),
    ("webhook-signature", "v1,abc"), ("session", "abc"), ("api_key", "abc"), ("cookie", "abc"), ("x_hmac", "abc"),
    ("receiver", {"name": "Rosa Lind"}), ("buyer_nick", "rosa"), ("phone", 13912345678), ("mobile", "1"),
    ("email", "a@b"), ("address", "平江路 9 号"), ("receiver_name", "Rosa Lind"), ("customerName", "Rosa"),
    ("record", {"deep": [{"name": "Rosa Lind", "tel": "1"}]}), ("count", 13912345678),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), SECRETS, ids=[s[0] for s in SECRETS])
def test_fields_that_sound_secret_or_personal_are_masked(name: str, value: Any) -> None:
    shown = json.dumps(mask_fields({"event": "x", name: value}), ensure_ascii=False)
    assert "***" in shown
    for datum in ("abc", "Rosa", "139", "rosa", "平江路", "a@b"):
        assert datum not in shown


KEPT: list[tuple[str, Any]] = [
    ("order", "13912345678"), ("destination", "erp"), ("shop", "tb-main"), ("signal", "SIGTERM"), ("seconds", 0.0041),
    ("attempt", 3), ("name", "erp"), ("design", "blue"), ("ok", True), ("nothing", None), ("url", "/hooks/site"),
    ("idempotency_key", "hub_" + "0f" * 16), ("number", "4100000000000000123"), ("sku", "A-13912345678901"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), KEPT, ids=[k[0] for k in KEPT])
def test_what_is_neither_is_kept(name: str, value: Any) -> None:
    assert mask_fields({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call 13912345678 now", "call *** now"),
        ("call +86 139-1234-5678", "call ***"),
        ("call +49 30 5550142 now", "call *** now"),
        ("order 4139123456789012 is late", "order 4139123456789012 is late"),
        ("mail rosa.lind+x@mail.example.com!", "mail ***@***!"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer ***"),
        ("?app_key=7&access_token=a1b2&x=1", "?app_key=7&access_token=***&x=1"),
        ('{"app_secret": "s3cr3t9"}', '{"app_secret": "***"}'),
        ("wire.signature: The signature does not match", "wire.signature: The signature does not match"),
        ("postgresql://hub:geheim@db/hub", "postgresql://***@db/hub"),
        ("whsec_c2VjcmV0 in a text", "whsec_*** in a text"),
        ("a.eyJhbGciOi.eyJzdWIiOi.c2ln", "a.***"),
        ("DETAIL:  Key (digest)=(Rosa) already exists.", "DETAIL: left out"),
    ],
)  # fmt: skip
def test_text_of_strangers(text: str, shown: str) -> None:
    assert mask_text(text) == shown


def test_our_own_tokens_are_known_by_their_looks() -> None:
    token = fresh_token()
    assert token not in mask_text(f"somebody used {token} here")


def test_what_lies_too_deep_is_left_out() -> None:
    nested: Any = "Rosa"
    for _ in range(12):
        nested = {"x": nested}
    assert "Rosa" not in str(mask_fields({"record": nested}))
