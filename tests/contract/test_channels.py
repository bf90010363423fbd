"""What every channel promises, proven on its fixtures. A new channel is tested by its folder alone, and fails without.

tests/fixtures/channels/<code>/ holds
  settings.json  valid settings, invented
  push.json      [{name, settings, headers, body, now, accepted, records: [{kind, key}], ...}]; "settings" are laid over
                 settings.json. Further keys: "code" of the rejection, "message_ids", "timed": the signature covers the
                 time, "covers_body": false where the scheme is a fixed token
  answers.json   [{name, status, headers, body, raises, retry_after, ...}] what the platform answers to a pull when it
                 does not give data. Further keys: "talk": "fetch" or "refresh", "kind", "now", "settings"
  pages.json     [{name, body, records: [{kind, key}], ...}] what `read` takes; or "raises". Further key: "kind"
  real.json      {path under shared/fixtures/channels: {why, kind, documents: [partial], problems: [code], ignored: n,
                 hints: [{kind, key}], raises}} what becomes of payloads that are not ours
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

import adapters
from adapters.port import Capability, Channel, Envelope, Hint, Window
from canonical import errors, parse_json
from canonical.errors import HubError, NotUnderstood, SignatureRejected
from hub.mapping import expression
from hub.mapping.catalog import Catalog

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "channels"
SHARED = ROOT.parent / "shared" / "fixtures" / "channels"
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
WINDOW = Window(datetime(2026, 11, 22, 7, 30, tzinfo=UTC), datetime(2026, 11, 22, 8, 0, tzinfo=UTC))
CODES = adapters.codes("channels")
MAX_TURNS = 20

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@cache
def _file(code: str, name: str) -> Any:
    path = FIXTURES / code / name
    if not path.exists():
        pytest.fail(f"the channel {code} has no tests/fixtures/channels/{code}/{name}", pytrace=False)
    return json.loads(path.read_text(encoding="utf-8"))


def _cases(name: str) -> list[Any]:
    found = []
    for code in CODES:
        path = FIXTURES / code / name
        data = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        items = [{**v, "name": k} for k, v in data.items()] if isinstance(data, dict) else data
        found += [pytest.param(code, item, id=f"{code}: {item['name']}") for item in items]
    return found


_compiled = cache(expression.compile)


def _search(text: str, data: Any) -> Any:
    return _compiled(text).search(data)


@cache
def plain(code: str) -> Channel:
    """The channel with the settings of its fixtures as they are."""
    return channel(code)


def channel(code: str, over: Mapping[str, Any] | None = None) -> Channel:
    """The channel with the settings of its fixtures."""
    adapter = adapters.load("channels", code)
    chosen = adapter.Settings.model_validate({**_file(code, "settings.json"), **(over or {})})
    made: Channel = adapter(chosen, _search) if getattr(adapter, "uses_expressions", False) else adapter(chosen)
    return made


def instant(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else NOW


def names(records: Iterator[Envelope | Hint]) -> list[dict[str, str]]:
    return [{"kind": r.kind, "key": r.key} for r in records]


def secrets(model: Any) -> Iterator[str]:
    if isinstance(model, SecretStr):
        yield model.get_secret_value()
    elif isinstance(model, BaseModel):
        for name in type(model).model_fields:
            yield from secrets(getattr(model, name))
    elif isinstance(model, Mapping):
        for value in model.values():
            yield from secrets(value)
    elif isinstance(model, list | tuple):
        for value in model:
            yield from secrets(value)


def settings_of(code: str, over: Mapping[str, Any] | None = None) -> BaseModel:
    made: BaseModel = adapters.load("channels", code).Settings.model_validate(
        {**_file(code, "settings.json"), **(over or {})}
    )
    return made


def shows_nothing(error: HubError, chosen: BaseModel) -> None:
    """No secret in anything that a person or a log may see of an error."""
    shown = f"{error!r} {error} {error.message} {error.hint} {error.evidence!r}"
    assert [s for s in secrets(chosen) if len(s) >= 4 and s in shown] == []


def answer(status: int, headers: Mapping[str, str], body: Any) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return httpx.Response(status, headers=dict(headers), content=content.encode())


def run(talk: Any, response: httpx.Response) -> Any:
    """A talk to which every answer is the same."""
    try:
        request = next(talk)
        for _ in range(MAX_TURNS):
            response.request = request
            request = talk.send(response)
    except StopIteration as end:
        return end.value
    pytest.fail("the talk does not come to an end")


# ---------------------------------------------------------------- every channel


@pytest.mark.parametrize("code", CODES)
class TestEveryChannel:
    def test_it_has_fixtures(self, code: str) -> None:
        assert isinstance(_file(code, "settings.json"), dict)
        assert _file(code, "pages.json")
        assert _file(code, "answers.json")
        if Capability.WEBHOOK in channel(code).capabilities:
            assert any(p["accepted"] for p in _file(code, "push.json"))
            assert any(not p["accepted"] for p in _file(code, "push.json"))

    def test_it_says_what_it_is(self, code: str) -> None:
        adapter = adapters.load("channels", code)

        assert adapter.title
        assert set(adapter.kinds) <= {"order", "refund", "shipment", "stock", "invoice"}
        assert adapter.capabilities

    def test_every_setting_is_described_and_unknown_ones_are_refused(self, code: str) -> None:
        schema = adapters.load("channels", code).Settings.model_json_schema()
        tables = [schema, *schema.get("$defs", {}).values()]

        for table in tables:
            if table.get("type") == "object" and "properties" in table:
                assert table.get("additionalProperties") is False
                assert [n for n, p in table["properties"].items() if not p.get("description")] == []

    def test_secrets_do_not_show_in_the_settings(self, code: str) -> None:
        chosen = settings_of(code)
        hidden = [s for s in secrets(chosen) if s]

        assert hidden, "settings.json gives no secret"
        for shown in (repr(chosen), str(chosen), chosen.model_dump_json()):
            assert [s for s in hidden if s in shown] == []

    def test_an_empty_object_is_not_understood(self, code: str) -> None:
        with pytest.raises(NotUnderstood) as caught:
            list(channel(code).read({}))

        assert caught.value.hint

    def test_every_push_gets_an_answer_in_the_platforms_words(self, code: str) -> None:
        made = channel(code)

        assert 200 <= made.acknowledge(None).status < 300
        assert made.acknowledge(SignatureRejected()).status >= 400 or made.acknowledge(SignatureRejected()).body

    @given(body=JSON_VALUES)
    @settings(max_examples=150)
    def test_any_json_is_read_or_refused_by_name(self, code: str, body: Any) -> None:
        made = plain(code)
        for kind in (None, *made.kinds):
            try:
                found = list(made.read(body, kind))
            except HubError as error:
                assert error.message  # noqa: PT017  # reading it is one of the two good outcomes
            else:
                assert all(isinstance(r, Envelope | Hint) for r in found)

    @given(raw=st.binary(max_size=200) | JSON_VALUES.map(lambda v: json.dumps(v).encode()))
    @settings(max_examples=150)
    def test_any_bytes_are_unpacked_or_refused_by_name(self, code: str, raw: bytes) -> None:
        made = plain(code)
        for headers in ({}, *(p["headers"] for p in _file(code, "push.json")[:3])):
            try:
                found = list(made.unpack(headers, raw, NOW))
            except HubError as error:
                assert error.message  # noqa: PT017  # unpacking it is one of the two good outcomes
            else:
                assert all(isinstance(r, Envelope | Hint) for r in found)

    @given(raw=st.binary(max_size=60), value=st.text(max_size=40))
    @settings(max_examples=60)
    def test_any_headers_are_rejected_by_name(self, code: str, raw: bytes, value: str) -> None:
        made = plain(code)
        for push in _file(code, "push.json")[:3]:
            with pytest.raises(SignatureRejected):
                made.verify(dict.fromkeys(push["headers"], value), raw + b"?", instant(push["now"]))

    @given(status=st.integers(100, 599), body=JSON_VALUES | st.text(max_size=40))
    @settings(max_examples=100)
    def test_any_answer_to_a_pull_is_a_page_or_an_error_by_name(self, code: str, status: int, body: Any) -> None:
        made = plain(code)
        kind = made.kinds[0]
        try:
            page = run(made.pull(kind, WINDOW, None, NOW), answer(status, {}, body))
        except HubError as error:
            assert error.message  # noqa: PT017  # a page is the other good outcome
        else:
            assert isinstance(page.envelopes, list)


# ---------------------------------------------------------------- pushes


@pytest.mark.parametrize(("code", "push"), _cases("push.json"))
class TestPush:
    def test_it_is_accepted_or_rejected(self, code: str, push: dict[str, Any]) -> None:
        made, raw, now = channel(code, push.get("settings")), push["body"].encode(), instant(push["now"])
        if push["accepted"]:
            made.verify(push["headers"], raw, now)
            found = list(made.unpack(push["headers"], raw, now))
            assert names(iter(found)) == push["records"]
            if "message_ids" in push:
                assert [r.message_id for r in found] == push["message_ids"]
            return
        with pytest.raises(SignatureRejected) as caught:
            made.verify(push["headers"], raw, now)
        assert caught.value.code == push.get("code", caught.value.code)
        shows_nothing(caught.value, settings_of(code, push.get("settings")))

    def test_no_changed_byte_passes(self, code: str, push: dict[str, Any]) -> None:
        made, raw, now = channel(code, push.get("settings")), push["body"].encode(), instant(push["now"])
        if push["accepted"] and push.get("covers_body", True):
            for place in {0, len(raw) // 2, len(raw) - 1}:
                spoilt = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
                with pytest.raises(SignatureRejected):
                    made.verify(push["headers"], spoilt, now)
            with pytest.raises(SignatureRejected):
                made.verify(push["headers"], raw + b" ", now)
        with pytest.raises(SignatureRejected):
            made.verify({}, raw, now)

    def test_an_old_one_does_not_pass_where_the_time_is_signed(self, code: str, push: dict[str, Any]) -> None:
        made, raw = channel(code, push.get("settings")), push["body"].encode()
        days = (-1, 1) if push.get("timed") else ()
        for day in days:
            with pytest.raises(SignatureRejected) as caught:
                made.verify(push["headers"], raw, instant(push["now"]) + timedelta(days=day))
            assert caught.value.code == "wire.timestamp"
        assert push["accepted"] or not days

    def test_a_redelivery_has_the_same_name(self, code: str, push: dict[str, Any]) -> None:
        made, raw, now = channel(code, push.get("settings")), push["body"].encode(), instant(push["now"])
        if not push["accepted"]:
            return
        first = list(made.unpack(push["headers"], raw, now))
        again = list(made.unpack(push["headers"], raw, now + timedelta(minutes=3)))

        assert [(r.kind, r.key, r.message_id) for r in first] == [(r.kind, r.key, r.message_id) for r in again]


# ---------------------------------------------------------------- answers and pages


@pytest.mark.parametrize(("code", "case"), _cases("answers.json"))
def test_an_error_answer_has_its_class(code: str, case: dict[str, Any]) -> None:
    made, now = channel(code, case.get("settings")), instant(case.get("now"))
    kind = case.get("kind", made.kinds[0])
    talks: dict[str, Callable[[], Any]] = {
        "pull": lambda: made.pull(kind, WINDOW, None, now),
        "fetch": lambda: made.fetch(kind, "1", now),
        "refresh": lambda: made.refresh(now),
    }
    talk = talks[case.get("talk", "pull")]()
    with pytest.raises(HubError) as caught:
        run(talk, answer(case["status"], case["headers"], case["body"]))

    assert type(caught.value) is getattr(errors, case["raises"]), repr(caught.value)
    if case.get("retry_after") is not None:
        assert getattr(caught.value, "retry_after", None) == case["retry_after"]
    if "code" in case:
        assert caught.value.code == case["code"]
    shows_nothing(caught.value, settings_of(code, case.get("settings")))


@pytest.mark.parametrize(("code", "case"), _cases("pages.json"))
def test_a_page_gives_exactly_its_records(code: str, case: dict[str, Any]) -> None:
    made = channel(code, case.get("settings"))
    body = case["body"]
    if isinstance(body, str) and not body.lstrip().startswith("<"):
        body = parse_json(body.encode())
    if "raises" in case:
        with pytest.raises(HubError) as caught:
            list(made.read(body, case.get("kind")))
        assert type(caught.value) is getattr(errors, case["raises"]), repr(caught.value)
        return
    found = list(made.read(body, case.get("kind")))

    assert names(iter(found)) == case["records"]
    assert all(r.subject == r.key for r in found if isinstance(r, Envelope) and r.kind == "order")


# ---------------------------------------------------------------- real payloads


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    made = Catalog(ROOT / "mappings")
    made.load()
    return made


def covers(expected: Any, found: Any, at: str = "") -> Iterator[str]:
    """Where `found` differs from what is expected: dicts may hold more, lists may not."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, inner in expected.items():
            yield from covers(inner, found.get(name), f"{at}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (left, right) in enumerate(zip(expected, found, strict=True)):
            yield from covers(left, right, f"{at}[{number}]")
    elif expected != found:
        yield f"{at}: expected {expected!r}, found {found!r}"


@pytest.mark.parametrize(("code", "case"), _cases("real.json"))
def test_a_real_payload_becomes_what_it_should(code: str, case: dict[str, Any], catalog: Catalog) -> None:
    path = SHARED / case["name"]
    if not path.exists():
        pytest.skip("the shared fixtures are not on this machine")
    raw = path.read_bytes()
    body: Any = raw.decode() if raw.lstrip().startswith(b"<") else parse_json(raw)
    if "raises" in case:
        with pytest.raises(HubError) as caught:
            list(channel(code).read(body, case.get("kind")))
        assert type(caught.value) is getattr(errors, case["raises"]), repr(caught.value)
        return
    records = list(channel(code).read(body, case.get("kind")))
    done = [
        catalog.channel(code, r.kind).translate(r.body, tenant="default", shop="real", channel=code, now=NOW)
        for r in records
        if isinstance(r, Envelope)
    ]
    documents = [t.document.model_dump(mode="json", by_alias=True) for t in done if t.document is not None]

    assert [p.code for t in done for p in t.problems] == case.get("problems", []), [t.problems for t in done]
    assert len([t for t in done if t.ignored]) == case.get("ignored", 0)
    assert names(r for r in records if isinstance(r, Hint)) == case.get("hints", [])
    assert list(covers(case.get("documents", documents), documents)) == []
    assert case["why"]


@pytest.mark.skipif(not SHARED.exists(), reason="the shared fixtures are not on this machine")
@pytest.mark.parametrize("code", [c for c in CODES if (SHARED / c).exists()])
def test_every_real_payload_is_accounted_for(code: str) -> None:
    there = {f"{code}/{p.name}" for p in (SHARED / code).iterdir() if p.suffix in (".json", ".xml")}

    assert there - set(_file(code, "real.json")) == set()
