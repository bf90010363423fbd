"""What every destination promises, proven on its fixtures. A new destination fails without its folder.

tests/fixtures/destinations/<code>/ holds
  settings.json  valid settings, invented
  answers.json   [{name, status, headers, body, ...}] with "receipt": {reference, already_there} or "raises", and
                 further "settings" (in place of settings.json), "retry_after", "code", "message"
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

import adapters
from adapters.port import Delivery, Destination, Receipt
from canonical import errors
from canonical.errors import HubError
from hub.mapping import expression

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "destinations"
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
CODES = adapters.codes("destinations")
MAX_TURNS = 50

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@cache
def _file(code: str, name: str) -> Any:
    path = FIXTURES / code / name
    if not path.exists():
        pytest.fail(f"the destination {code} has no tests/fixtures/destinations/{code}/{name}", pytrace=False)
    return json.loads(path.read_text(encoding="utf-8"))


def _cases() -> list[Any]:
    found = []
    for code in CODES:
        path = FIXTURES / code / "answers.json"
        items = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        found += [pytest.param(code, item, id=f"{code}: {item['name']}") for item in items]
    return found


_compiled = cache(expression.compile)


def _search(text: str, data: Any) -> Any:
    return _compiled(text).search(data)


def settings_of(code: str, given: Mapping[str, Any] | None = None) -> BaseModel:
    made: BaseModel = adapters.load("destinations", code).Settings.model_validate(given or _file(code, "settings.json"))
    return made


def destination(code: str, given: Mapping[str, Any] | None = None) -> Destination:
    """The destination with the settings of its fixtures."""
    adapter = adapters.load("destinations", code)
    chosen = settings_of(code, given)
    made: Destination = adapter(chosen, _search) if getattr(adapter, "uses_expressions", False) else adapter(chosen)
    return made


def delivery(attempt: int = 1, **more: Any) -> Delivery:
    document = {"schema": "order/1", "order_no": "4100000000000000123", "buyer_note": "加急 & <schnell>", "lines": []}
    given: dict[str, Any] = {
        "id": "17",
        "tenant": "default",
        "destination": "erp",
        "kind": "order",
        "shop": "tb-main",
        "key": "4100000000000000123",
        "subject": "4100000000000000123",
        "revision": "2026-11-22T08:29:41Z",
        "sequence": 3,
        "idempotency_key": "d1f0-order-4100000000000000123-3",
        "body": document,
    }
    return Delivery(attempt=attempt, **{**given, **more})


def secrets(model: Any) -> Iterator[str]:
    if isinstance(model, SecretStr):
        yield model.get_secret_value()
    elif isinstance(model, BaseModel):
        for name in type(model).model_fields:
            yield from secrets(getattr(model, name))
    elif isinstance(model, Mapping):
        for value in model.values():
            yield from secrets(value)


def run(talk: Any, response: httpx.Response) -> tuple[Any, list[httpx.Request]]:
    """A talk to which every answer is the same: its result, and what it asked."""
    asked: list[httpx.Request] = []
    try:
        request = next(talk)
        for _ in range(MAX_TURNS):
            asked.append(request)
            response.request = request
            request = talk.send(response)
    except StopIteration as end:
        return end.value, asked
    pytest.fail("the talk does not come to an end")


def outcome(talk: Any, response: httpx.Response) -> str:
    """How a talk ended: a receipt, nothing found, or an error by name; anything else goes up."""
    try:
        result, _ = run(talk, response)
    except HubError as error:
        return f"{type(error).__name__} {error.code}"
    assert result is None or isinstance(result, Receipt)
    return "receipt" if result else "nothing"


@pytest.mark.parametrize("code", CODES)
class TestEveryDestination:
    def test_it_has_fixtures_for_yes_and_no(self, code: str) -> None:
        assert any("receipt" in a for a in _file(code, "answers.json"))
        assert any("raises" in a for a in _file(code, "answers.json"))

    def test_it_says_what_it_is(self, code: str) -> None:
        adapter = adapters.load("destinations", code)

        assert adapter.title
        assert isinstance(destination(code).can_look_up, bool)

    def test_every_setting_is_described_and_unknown_ones_are_refused(self, code: str) -> None:
        schema = adapters.load("destinations", code).Settings.model_json_schema()
        for table in [schema, *schema.get("$defs", {}).values()]:
            if table.get("type") == "object" and "properties" in table:
                assert table.get("additionalProperties") is False
                assert [n for n, p in table["properties"].items() if not p.get("description")] == []

    def test_secrets_do_not_show(self, code: str) -> None:
        chosen = settings_of(code)

        for shown in (repr(chosen), str(chosen), chosen.model_dump_json()):
            assert [s for s in secrets(chosen) if s in shown] == []

    def test_two_talks_at_once_ask_the_same(self, code: str) -> None:
        made = destination(code)
        talks = [made.push(delivery(), NOW), made.push(delivery(), NOW)]
        asked = [next(t) for t in talks]

        assert asked[0].method == asked[1].method
        assert asked[0].url == asked[1].url
        assert asked[0].read() == asked[1].read()
        assert asked[0].headers == asked[1].headers

    def test_the_document_arrives_whole(self, code: str) -> None:
        if getattr(adapters.load("destinations", code), "many_steps", False):
            assert next(destination(code).push(delivery(), NOW)).method == "GET", "it looks before it writes"
            return
        sent = json.loads(next(destination(code).push(delivery(), NOW)).read())

        assert sent.get("document", sent) == delivery().body

    def test_a_look_up_asks_and_changes_nothing(self, code: str) -> None:
        made = destination(code)
        if not made.can_look_up:
            assert run(made.look_up(delivery(), NOW), httpx.Response(404)) == (None, [])
            return
        nothing = httpx.Response(200, text="[]") if getattr(made, "many_steps", False) else httpx.Response(404)
        found, asked = run(made.look_up(delivery(), NOW), nothing)

        assert found is None
        assert asked
        assert {r.method for r in asked} <= {"GET", "FIND"}
        if not getattr(made, "many_steps", False):  # such a one tells what it found by more than a status
            assert outcome(made.look_up(delivery(), NOW), httpx.Response(200, text="{}")) == "receipt"
        assert outcome(made.look_up(delivery(), NOW), httpx.Response(503)).startswith("Unavailable")

    @given(status=st.integers(200, 599), body=JSON_VALUES | st.text(max_size=40), attempt=st.integers(1, 3))
    def test_any_answer_is_a_receipt_or_an_error_by_name(self, code: str, status: int, body: Any, attempt: int) -> None:
        made, raw = destination(code), json.dumps(body).encode()

        assert outcome(made.push(delivery(attempt), NOW), httpx.Response(status, content=raw))
        assert outcome(made.look_up(delivery(attempt), NOW), httpx.Response(status, content=raw))

    @given(body=JSON_VALUES, key=st.text(min_size=1, max_size=30))
    def test_any_document_is_sent_or_refused_by_name(self, code: str, body: Any, key: str) -> None:
        talk = destination(code).push(delivery(body=body, key=key, subject=key, idempotency_key=key), NOW)

        allowed = ("receipt", "Refused delivery.body", "Unavailable delivery.not_tryton")
        assert outcome(talk, httpx.Response(200)) in allowed


@pytest.mark.parametrize(("code", "case"), _cases())
def test_an_answer_means_what_it_says(code: str, case: dict[str, Any]) -> None:
    chosen = settings_of(code, case.get("settings"))
    response = httpx.Response(case["status"], headers=case["headers"], content=case["body"].encode())
    talk = destination(code, case.get("settings")).push(delivery(), NOW)
    if "receipt" in case:
        receipt, _ = run(talk, response)
        expected = Receipt(**case["receipt"])
        assert receipt == expected
        return
    with pytest.raises(HubError) as caught:
        run(talk, response)
    error = caught.value

    assert type(error) is getattr(errors, case["raises"]), repr(error)
    assert error.code == case.get("code", error.code)
    assert error.message == case.get("message", error.message)
    assert getattr(error, "retry_after", None) == case.get("retry_after")
    shown = f"{error!r} {error.message} {error.hint} {error.evidence!r}"
    assert [s for s in secrets(chosen) if s in shown] == []
