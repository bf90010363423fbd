"""What the contract tests of channels share: a channel made of its fixtures, and the fixtures themselves.

tests/fixtures/channels/<code>/ holds, for an adapter of that name, or for a platform that the channel `generic` speaks
to by settings alone (a folder of mappings without an adapter),
  settings.json  valid settings, invented
  push.json      [{name, settings, headers, body, now, accepted, records: [{kind, key}], ...}]; "settings" are laid over
                 settings.json. Further keys: "code" of the rejection, "message_ids", "timed": the signature covers the
                 time, "covers_body": false where the scheme is a fixed token
  answers.json   [{name, status, headers, body, raises, retry_after, ...}] what the platform answers to a pull when it
                 does not give data. Further keys: "talk": "fetch" or "refresh", "kind", "now", "settings"
  talks.json     optional: whole conversations, [{name, do, ..., exchange: [{asks, answer}], gives}]. `do` is "pull"
                 (with kind, window: [start, end], cursor), "fetch" (kind, key), "refresh" or "tell" (change). Each
                 request must hold what `asks` names of {method, url, query, form, json, headers}, and gets `answer`: a
                 body, or {status, headers, body}. `gives` names parts of the result: {records, hints, cursor},
                 {kind, key, subject, body}, {settings, expires_at} or null, {reference, already_there}; or "raises".
                 Further keys: "now", "settings"
  pages.json     [{name, body, records: [{kind, key}], ...}] what `read` takes; or "raises". Further key: "kind"
  real.json      {path under shared/fixtures/channels: {why, kind, documents: [partial], problems: [code], ignored: n,
                 hints: [{kind, key}], raises}} what becomes of payloads that are not ours
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, SecretStr

import adapters
from adapters.port import Channel, Envelope, Hint
from canonical.errors import HubError
from hub.mapping import expression

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "channels"
SHARED = ROOT.parent / "shared" / "fixtures" / "channels"
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
ADAPTERS = adapters.codes("channels")
BY_SETTINGS = sorted({f.name for f in (ROOT / "mappings" / "channels").iterdir() if f.is_dir()} - set(ADAPTERS))
CODES = [*ADAPTERS, *BY_SETTINGS]
MAX_TURNS = 20


def adapter_of(code: str) -> Any:
    """The adapter of that name; `generic` for a platform by settings."""
    return adapters.load("channels", code if code in ADAPTERS else "generic")


@cache
def file_of(code: str, name: str) -> Any:
    path = FIXTURES / code / name
    if not path.exists():
        pytest.fail(f"the channel {code} has no tests/fixtures/channels/{code}/{name}", pytrace=False)
    return json.loads(path.read_text(encoding="utf-8"))


def cases(name: str) -> list[Any]:
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
    adapter = adapter_of(code)
    chosen = adapter.Settings.model_validate({**file_of(code, "settings.json"), **(over or {})})
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
    made: BaseModel = adapter_of(code).Settings.model_validate({**file_of(code, "settings.json"), **(over or {})})
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
