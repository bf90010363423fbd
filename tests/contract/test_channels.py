"""What every channel promises, proven on its fixtures. A new channel is tested by its folder alone, and fails without.

tests/contract/fixtures.py says what the folder holds.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.port import Capability, Envelope, Hint, Window
from canonical import errors, parse_json
from canonical.errors import HubError, NotUnderstood, SignatureRejected
from tests.contract.fixtures import (
    CODES,
    NOW,
    adapter_of,
    answer,
    cases,
    channel,
    file_of,
    instant,
    names,
    plain,
    run,
    secrets,
    settings_of,
    shows_nothing,
)

WINDOW = Window(datetime(2026, 11, 22, 7, 30, tzinfo=UTC), datetime(2026, 11, 22, 8, 0, tzinfo=UTC))

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


# ---------------------------------------------------------------- every channel


@pytest.mark.parametrize("code", CODES)
class TestEveryChannel:
    def test_it_has_fixtures(self, code: str) -> None:
        assert isinstance(file_of(code, "settings.json"), dict)
        assert file_of(code, "pages.json")
        assert file_of(code, "answers.json")
        if Capability.WEBHOOK in channel(code).capabilities:
            assert any(p["accepted"] for p in file_of(code, "push.json"))
            assert any(not p["accepted"] for p in file_of(code, "push.json"))

    def test_it_says_what_it_is(self, code: str) -> None:
        adapter = adapter_of(code)

        assert adapter.title
        assert set(adapter.kinds) <= {"order", "refund", "shipment", "stock", "invoice"}
        assert adapter.capabilities

    def test_every_setting_is_described_and_unknown_ones_are_refused(self, code: str) -> None:
        schema = adapter_of(code).Settings.model_json_schema()
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
    def test_any_bytes_are_unpacked_or_refused_by_name(self, code: str, raw: bytes) -> None:
        made = plain(code)
        for headers in ({}, *(p["headers"] for p in file_of(code, "push.json")[:3])):
            try:
                found = list(made.unpack(headers, raw, NOW))
            except HubError as error:
                assert error.message  # noqa: PT017  # unpacking it is one of the two good outcomes
            else:
                assert all(isinstance(r, Envelope | Hint) for r in found)

    @given(raw=st.binary(max_size=60), value=st.text(max_size=40))
    def test_any_headers_are_rejected_by_name(self, code: str, raw: bytes, value: str) -> None:
        made = plain(code)
        for push in file_of(code, "push.json")[:3]:
            with pytest.raises(SignatureRejected):
                made.verify(dict.fromkeys(push["headers"], value), raw + b"?", instant(push["now"]))

    @given(status=st.integers(100, 599), body=JSON_VALUES | st.text(max_size=40))
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


@pytest.mark.parametrize(("code", "push"), cases("push.json"))
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


@pytest.mark.parametrize(("code", "case"), cases("answers.json"))
def test_an_error_answer_has_its_class(code: str, case: dict[str, Any]) -> None:
    made, now = channel(code, case.get("settings")), instant(case.get("now"))
    kind = case.get("kind", made.kinds[0])
    talks: dict[str, Any] = {
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


@pytest.mark.parametrize(("code", "case"), cases("pages.json"))
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
