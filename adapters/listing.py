"""Reads paged lists of plain JSON services, page by page, by settings: page numbers, cursors or Link headers.

Each call fetches one page of a window and says where the next one begins, so that a crash resumes there.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
from pydantic import AfterValidator, Field, model_validator

from adapters.answers import Answers, retry_after
from adapters.asking import Asking, Params
from adapters.credentials import Span, fill, fill_all, url_with
from adapters.port import Talk, Window
from canonical.errors import NotAuthorised, NotUnderstood, Refused, Unavailable

Items = Callable[[Any], list[Any]]
"""The records in an answer. Raises NotUnderstood where there is no list."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone, such as Asia/Shanghai") from error
    return name


class Source(Asking):
    """A paged list of records that changed inside a window of time. GET sends parameters as query, POST as JSON."""

    url: Annotated[str, url_with()] = Field(min_length=1, description="address of the list")
    records: str = Field("", description="JMESPath: the list in an answer; empty: what the shop's `records` say")
    ids: str = Field(
        "", description="JMESPath: numbers of records, where the list tells no more; each is then read by `fetch`"
    )
    since_param: str = Field("updated_since", description="parameter with the start of the window; empty: not sent")
    until_param: str = Field("updated_before", description="parameter with the end of the window; empty: not sent")
    time_format: str = Field("iso", description="iso, epoch_s, epoch_ms, or a pattern such as %Y-%m-%d %H:%M:%S")
    zone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="time zone of those times")
    widest: Span | None = Field(None, gt=0, description="longest window that the list takes, such as 30m; empty: any")
    paging: Literal["cursor", "page", "link", "none"] = Field("cursor", description="how to get to the next page")
    size_param: str = Field("limit", description="parameter with the page size; empty: not sent")
    size: int = Field(100, ge=1, le=10_000, description="records a page")
    cursor_param: str = Field("cursor", description="paging cursor: parameter that takes it")
    next_cursor: str = Field("next_cursor", description="paging cursor: JMESPath to the next one, null at the end")
    page_param: str = Field("page", description="paging page: parameter with the page's number")
    first_page: int = Field(1, ge=0, le=1, description="paging page: number of the first page")
    total: str = Field(
        "", description="paging page: JMESPath to the number of records; with it pages are read from the last one back"
    )
    more: str = Field("", description="JMESPath: whether a further page exists; empty: until an empty one")
    ok_if: str = Field("", description="rule over {status, headers, body}: a good answer; empty: any 2xx")
    retry_if: str = Field("", description="rule: an outage or a limit")
    auth_if: str = Field("", description="rule: our credentials are not accepted")
    fetch: Annotated[str, url_with("key")] = Field("", description="address of one record, with {key}; empty: none")
    fetch_params: dict[str, str | int | bool] = Field(
        default_factory=dict,
        description="fetch: its parameters, with {key}, in place of `params`; sent as the list's are. Empty: a GET",
    )

    @model_validator(mode="after")
    def _can_read_what_it_names(self) -> Self:
        if self.ids and not self.fetch:
            raise ValueError("ids names records only: give the address of one record in fetch")
        return self

    @property
    def expressions(self) -> dict[str, str]:
        """Every JMESPath text by its key."""
        names = ("records", "ids", "next_cursor", "total", "more", "ok_if", "retry_if", "auth_if")
        return {n: getattr(self, n) for n in names if getattr(self, n)}


class Listing:
    """One source, ready to be read."""

    def __init__(self, source: Source, answers: Answers, items: Items, tokens: Mapping[str, str]) -> None:
        self.source = source
        self._answers = answers
        self._items = self._numbers if source.ids else items
        self._tokens = tokens
        self._zone = ZoneInfo(source.zone)

    def page(self, window: Window, cursor: str | None, now: datetime) -> Talk[tuple[list[Any], str | None]]:
        """The records of one page (their numbers, where `ids` is set), and the cursor of the next one or None."""
        if self.source.widest is None:
            return (yield from self._page(window, cursor, now))
        # "start of the part|cursor inside of it"
        place, _, inner = (cursor or f"{window.start.isoformat()}|").partition("|")
        start = datetime.fromisoformat(place)
        end = min(start + timedelta(seconds=self.source.widest), window.end)
        records, following = yield from self._page(Window(start, end), inner or None, now)
        if following is not None:
            return records, f"{place}|{following}"
        return records, f"{end.isoformat()}|" if end < window.end else None

    def _page(self, window: Window, cursor: str | None, now: datetime) -> Talk[tuple[list[Any], str | None]]:
        source = self.source
        if source.paging == "link":
            return (yield from self._by_link(window, cursor, now))
        if source.paging == "page" and source.total:
            return (yield from self._from_the_end(window, cursor, now))
        if source.paging == "page":
            return (yield from self._by_number(window, cursor, now))
        params = {source.cursor_param: cursor} if cursor else {}
        view = yield from self._ask(self._request(source.url, window, params, now), now)
        following = None if source.paging == "none" else self._following(view, cursor)
        return self._items(view["body"]), following

    def one(self, key: str, now: datetime) -> Talk[Any]:
        """The answer for one record. Raises Refused where there is no such record."""
        source, url = self.source, fill(self.source.fetch, {"key": key})
        params = fill_all(source.fetch_params, {"key": key})
        asking = source.model_copy(update={"params": {}} if params else {"params": {}, "method": "GET"})
        request = asking.request(url, params, self._tokens, now)
        view = self._answers.view((yield request))
        if view["status"] == 404:
            raise Refused("there is no record with this number", code="wire.no_such_record")
        self._check(view, now)
        return view["body"]

    def _following(self, view: dict[str, Any], cursor: str | None) -> str | None:
        if self.source.more and not self._answers.holds("more", self.source.more, view, "body"):
            return None
        found = self._answers.value("next_cursor", self.source.next_cursor, view, "body")
        if found is None or found in ("", False):
            return None
        if not isinstance(found, str | int) or str(found) == cursor:
            raise NotUnderstood(
                "the next cursor is the same as before, or is no text", hint="Mend next_cursor in hub.toml."
            )
        return str(found)

    def _by_link(self, window: Window, cursor: str | None, now: datetime) -> Talk[tuple[list[Any], str | None]]:
        first = self._request(self.source.url, window, {}, now)
        onward = self.source.model_copy(update={"params": {}, "method": "GET"})
        request = onward.request(cursor, {}, self._tokens, now) if cursor else first
        response = yield request
        view = self._answers.view(response)
        self._check(view, now)
        link = response.links.get("next", {}).get("url", "")
        if not link:
            return self._items(view["body"]), None
        following = request.url.join(link)
        home = httpx.URL(self.source.url)
        if (following.scheme, following.host, following.port) != (home.scheme, home.host, home.port):
            # Our credentials go along with every request.
            raise NotUnderstood("the Link header leads to another server", evidence={"host": following.host})
        if following == request.url:
            raise NotUnderstood("the Link header leads to the same page again")
        return self._items(view["body"]), str(following)

    def _from_the_end(self, window: Window, cursor: str | None, now: datetime) -> Talk[tuple[list[Any], str | None]]:
        """From the last page back: a record that changes leaves the window, and those behind it move to pages that
        are still to be read. Forwards, they would move to pages that have been read, and be lost."""
        source = self.source
        page = int(cursor) if cursor else source.first_page
        view = yield from self._ask(self._numbered(window, page, now), now)
        records = self._items(view["body"])
        if cursor is None:
            total = self._answers.value("total", source.total, view, "body")
            if isinstance(total, bool) or not str(total).isdecimal():
                raise NotUnderstood("`total` gives no number for this answer", hint="Mend total in hub.toml.")
            # Some services give fewer records a page than they are asked for.
            size = min(source.size, len(records)) or source.size
            last = source.first_page + math.ceil(int(total) / size) - 1
            if last > page:
                view = yield from self._ask(self._numbered(window, last, now), now, beyond_is_empty=True)
                return self._items(view["body"]), str(last - 1)
        return records, str(page - 1) if page > source.first_page else None

    def _by_number(self, window: Window, cursor: str | None, now: datetime) -> Talk[tuple[list[Any], str | None]]:
        page_text, _, seen = (cursor or str(self.source.first_page)).partition(":")
        page = int(page_text)
        request = self._numbered(window, page, now)
        view = yield from self._ask(request, now, beyond_is_empty=page > self.source.first_page)
        records = self._items(view["body"])
        more = bool(records)
        if more and self.source.more:
            more = self._answers.holds("more", self.source.more, view, "body")
        digest = hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()[:16]
        if records and digest == seen:
            raise NotUnderstood("the same page came twice", hint="Check page_param (and more) in hub.toml.")
        return records, f"{page + 1}:{digest}" if more else None

    def _ask(self, request: httpx.Request, now: datetime, beyond_is_empty: bool = False) -> Talk[dict[str, Any]]:
        view = self._answers.view((yield request))
        if beyond_is_empty and view["status"] == 404:
            return {**view, "body": []}
        self._check(view, now)
        return view

    def _check(self, view: dict[str, Any], now: datetime) -> None:
        source, answers = self.source, self._answers
        try:
            if answers.holds("auth_if", source.auth_if, view):
                raise NotAuthorised("the answer says so (auth_if)", evidence=answers.evidence(view))
            if answers.holds("retry_if", source.retry_if, view):
                wait = retry_after(view["headers"], now)
                raise Unavailable("the answer says so (retry_if)", retry_after=wait, evidence=answers.evidence(view))
            good = answers.holds("ok_if", source.ok_if, view) if source.ok_if else 200 <= view["status"] < 300
        except Refused as broken_rule:
            error = answers.failure(view, now)
            raise (broken_rule if isinstance(error, Refused) else error) from broken_rule
        if not good:
            raise answers.failure(view, now)

    def _numbers(self, body: Any) -> list[Any]:
        found = self._answers.value("ids", self.source.ids, {"body": body}, "body")
        if not isinstance(found, list) or not all(isinstance(n, str | int) and not isinstance(n, bool) for n in found):
            raise NotUnderstood("`ids` gives no list of numbers for this answer", hint="Mend ids in hub.toml.")
        return [str(number) for number in found]

    def _numbered(self, window: Window, page: int, now: datetime) -> httpx.Request:
        return self._request(self.source.url, window, {self.source.page_param: page}, now)

    def _request(self, url: str, window: Window, params: Params, now: datetime) -> httpx.Request:
        source = self.source
        sent: dict[str, str | int | bool] = {}
        if source.since_param:
            sent[source.since_param] = self._time(window.start)
        if source.until_param:
            sent[source.until_param] = self._time(window.end)
        if source.size_param:
            sent[source.size_param] = source.size
        return source.request(url, {**sent, **params}, self._tokens, now)

    def _time(self, moment: datetime) -> str | int:
        form = self.source.time_format
        if form == "epoch_s":
            return int(moment.timestamp())
        if form == "epoch_ms":
            return int(moment.timestamp() * 1000)
        # Whole seconds, rounded down: a window's end and the next one's start meet without a gap.
        local = moment.astimezone(self._zone).replace(microsecond=0)
        return local.isoformat().replace("+00:00", "Z") if form == "iso" else local.strftime(form)
