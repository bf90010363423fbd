"""What the sandbox's tests share: a clock of their own, a shelf full of records, talks run against it in process."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from adapters import load
from adapters.port import Envelope, Page, T, Talk, Window
from adapters.sandbox import Sandbox, Setup, build, configuration
from adapters.sandbox.deals import douyin, jd, shopify, site, taobao
from adapters.sandbox.platform import Record, beijing, iso
from adapters.sandbox.story import Book, Step
from canonical.errors import Unavailable
from hub.mapping import expression

NOW = 1_790_000_000.0
BASE = "http://sandbox"


class Hands:
    """A clock whose hands the test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> float:
        return self.at

    @property
    def utc(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def sandbox(hands: Hands, **setup: Any) -> Sandbox:
    return build(Setup(clock=hands, **setup))


def client_of(box: Sandbox) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(box.app), base_url=BASE)


def adapter(channel: str, **changes: Any) -> Any:
    """The real adapter of a channel, set up for the sandbox as hub.toml would."""
    cls = load("channels", "generic" if channel == "site" else channel)
    settings = cls.Settings(**{**configuration(BASE)["shops"][channel], **changes})
    if getattr(cls, "uses_expressions", False):
        return cls(settings, lambda text, data: expression.compile(text).search(data))
    return cls(settings)


async def talk_through(talk: Talk[T], client: httpx.AsyncClient, between: Callable[[], None] | None = None) -> T:
    """Run a talk to its end; `between` happens after every answer, as the world goes on meanwhile."""
    try:
        request = next(talk)
        while True:
            response = await client.send(request)
            if between:
                between()
            request = talk.send(response)
    except StopIteration as end:
        result: T = end.value
        return result


async def pull_all(
    channel: Any, kind: str, window: Window, hands: Hands, client: httpx.AsyncClient, between: Callable[[], None] | None
) -> list[Envelope]:
    """Every page of a window."""
    found: list[Envelope] = []
    cursor: str | None = None
    for _ in range(1000):
        try:
            page: Page = await talk_through(channel.pull(kind, window, cursor, hands.utc), client, between)
        except Unavailable as limit:
            hands.at += limit.retry_after or 1
            continue
        found += page.envelopes
        cursor = page.next_cursor
        if cursor is None:
            return found
    raise AssertionError("the pull does not come to an end")


def record_of(step: Step) -> Record:
    assert isinstance(step.body, dict)
    return Record(step.kind, step.key, step.body, step.modified, step.created, step.subject)


def changed(channel: str, book: Book, at: float, record: Record | None = None) -> list[Record]:
    """A paid order of the channel with a refund, last changed at that moment; or what `record` becomes by then."""
    book.at = int(at - book.now)
    if record is not None:
        body = json.loads(json.dumps(record.body))
        _stamp(channel, body, record.kind, int(at))
        return [Record(record.kind, record.key, body, int(at), record.created, record.subject)]
    steps = _WRITERS[channel](book)
    return [record_of(step) for step in steps]


def fill(box: Sandbox, channel: str, count: int, start: float, end: float, seed: int = 3) -> list[Record]:
    """`count` orders and as many refunds on the channel's shelf, changed between start and end."""
    book, rng = Book(channel, seed, NOW, 1), random.Random(seed)
    records = [r for _ in range(count) for r in changed(channel, book, rng.randrange(int(start), int(end)))]
    for record in records:
        box.platforms[channel].shop.put(record)
    return records


def _taobao(book: Book) -> list[Step]:
    deal = taobao.Deal(book, book.basket(1))
    return [deal.seen("WAIT_SELLER_SEND_GOODS", 0), deal.refund(book.number(18, "2"), "WAIT_SELLER_AGREE", 0)]


def _jd(book: Book) -> list[Step]:
    deal = jd.Deal(book, book.basket(1))
    number = book.number(11, "2")
    after = deal.application(number, 0, 0) if int(number) % 2 else deal.service(number, 10, 10005, 0)
    return [deal.seen(jd.TO_SHIP, 0), after]


def _douyin(book: Book) -> list[Step]:
    deal = douyin.Deal(book, book.basket(1))
    return [deal.seen(douyin.TO_SHIP, 0), deal.aftersale(book.number(18, "14"), 6, 2, 1, 0)]


def _shopify(book: Book) -> list[Step]:
    deal = shopify.Deal(book, book.basket(1))
    refund = deal.refund(0, {0: 1})
    return [deal.seen(0, paid="refunded", refunds=[refund]), deal.refund_step(refund, 0)]


def _site(book: Book) -> list[Step]:
    deal = site.Deal(book, book.basket(1))
    return [deal.seen("paid", "paid", 0), deal.refund("R" + book.number(9), "requested", 0)]


_WRITERS = {"taobao": _taobao, "jd": _jd, "douyin": _douyin, "shopify": _shopify, "site": _site}


def _stamp(channel: str, body: dict[str, Any], kind: str, at: int) -> None:
    """The record's own mark of when it changed."""
    if channel == "douyin":
        (body if kind == "order" else body["aftersale_info"])["update_time"] = at
    elif channel in ("shopify", "site"):
        body["updated_at" if "updated_at" in body else "processed_at"] = iso(at)
    elif channel == "taobao" or kind == "order":
        body["modified"] = beijing(at)
    elif "serviceId" in body:
        body["updateDate"] = beijing(at)
    else:
        body["status"], body["checkTime"] = 3, beijing(at)
