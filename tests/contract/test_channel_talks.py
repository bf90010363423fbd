"""Whole conversations of a channel with its platform, as written in talks.json: paging, refresh, writing back."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from adapters.port import Channel, Credentials, Page, Window
from canonical import errors
from canonical.errors import HubError
from tests.contract.fixtures import answer, cases, channel, covers, instant, names, settings_of, shows_nothing


def asked(request: httpx.Request) -> dict[str, Any]:
    """A request as `asks` describes it."""
    content = request.read().decode()
    kind = request.headers.get("content-type", "")
    return {
        "method": request.method,
        "url": str(request.url.copy_with(query=None)),
        "query": dict(request.url.params),
        "form": dict(parse_qsl(content, keep_blank_values=True)) if "urlencoded" in kind else {},
        "json": json.loads(content) if "json" in kind and content else None,
        "headers": dict(request.headers),
    }


def told(result: Any) -> Any:
    """The result of a talk as `gives` describes it."""
    if isinstance(result, Page):
        found = {"records": names(iter(result.envelopes)), "hints": names(iter(result.hints))}
        return {**found, "cursor": result.next_cursor}
    if isinstance(result, Credentials):
        ends = result.expires_at.isoformat() if result.expires_at else None
        return {"settings": dict(result.settings), "expires_at": ends}
    return None if result is None else dataclasses.asdict(result)


def begin(made: Channel, case: Mapping[str, Any], now: datetime) -> Any:
    if case["do"] == "pull":
        start, end = (datetime.fromisoformat(text) for text in case["window"])
        return made.pull(case["kind"], Window(start, end), case.get("cursor"), now)
    if case["do"] == "fetch":
        return made.fetch(case["kind"], case["key"], now)
    return made.refresh(now) if case["do"] == "refresh" else made.tell(case["change"], now)


def converse(talk: Any, exchange: list[dict[str, Any]]) -> Any:
    """Play the exchange to its end: every request as it should be, none too many, none too few."""
    place = -1
    try:
        request = next(talk)
        for place, turn in enumerate(exchange):
            wrong = list(covers(turn["asks"], asked(request), f"request {place}"))
            assert not wrong, wrong
            given = turn["answer"]
            whole = given if isinstance(given, dict) and "status" in given else {"status": 200, "body": given}
            response = answer(whole["status"], whole.get("headers", {}), whole["body"])
            response.request = request
            request = talk.send(response)
    except StopIteration as end:
        assert place == len(exchange) - 1, f"{len(exchange)} requests expected, {place + 1} came"
        return end.value
    pytest.fail(f"a request too many: {asked(request)}", pytrace=False)


@pytest.mark.parametrize(("code", "case"), cases("talks.json"))
def test_a_conversation_goes_as_written(code: str, case: dict[str, Any]) -> None:
    made = channel(code, case.get("settings"))
    talk = begin(made, case, instant(case.get("now")))
    if "raises" in case:
        with pytest.raises(HubError) as caught:
            converse(talk, case["exchange"])
        assert type(caught.value) is getattr(errors, case["raises"]), repr(caught.value)
        shows_nothing(caught.value, settings_of(code, case.get("settings")))
        return
    result = told(converse(talk, case["exchange"]))

    assert (result is None) == (case["gives"] is None)
    assert list(covers(case["gives"], result)) == []
