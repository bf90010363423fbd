"""`hub map`: what a platform's answer or push would become. No store, no network."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from adapters.port import Channel, Envelope, Hint
from canonical import Problem, parse_json
from canonical.errors import NotUnderstood
from canonical.serialise import dump_json
from hub.mapping.catalog import Catalog


def try_mapping(
    catalog: Catalog,
    channel: Channel,
    code: str,
    kind: str | None,
    raw: bytes,
    now: datetime,
    *,
    folder: str = "",
    overlay: str = "",
    tenant: str = "default",
    shop: str = "",
) -> dict[str, Any]:
    """`{"documents": [...], "problems": [...], "hints": [...]}`. Raises HubError where nothing in it can be read."""
    result: dict[str, Any] = {"documents": [], "problems": [], "hints": []}
    for record in records(channel, kind, raw):
        if isinstance(record, Hint):
            result["hints"].append({"kind": record.kind, "key": record.key})
            continue
        translator = catalog.channel(folder or code, record.kind, overlay)
        made = translator.translate(record.body, tenant=tenant, shop=shop or code, channel=code, now=now)
        key = made.key or record.key
        if made.ignored:
            result.setdefault("ignored", []).append({"kind": record.kind, "key": key, "why": made.ignored})
        elif made.document is not None:
            result["documents"].append(orjson.loads(dump_json(made.document)))
        else:
            result["problems"] += [{"kind": record.kind, "key": key, **_shown(p)} for p in made.problems]
    return result


def records(channel: Channel, kind: str | None, raw: bytes) -> Iterator[Envelope | Hint]:
    """What a file holds as the channel's adapter reads it: a page, one record, a push. Raises HubError."""
    text = raw.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        raise NotUnderstood("the file is empty", hint="Give a file that holds what the platform answered or pushed.")
    body: Any = raw.decode("utf-8", "replace") if text.startswith(b"<") else parse_json(text)
    yield from channel.read(body, kind)


def _shown(problem: Problem) -> dict[str, str]:
    return {k: v for k, v in problem.as_dict().items() if v}
