"""Channel `generic`: an own site or any platform without an adapter, by settings and a mapping alone.

Settings say how pushes are signed, where the records lie in a message, and how to read the site's lists. Expressions
are JMESPath; the hub gives the function that evaluates them. Without any setting but secrets it understands
`{"type": ..., "data": {record}}` as a push and `{"items": [...], "next_cursor": ...}` as a page.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeGuard

from pydantic import Field, SecretStr

from adapters.answers import SEARCH_ERRORS, Answers, Search
from adapters.asking import Token
from adapters.credentials import Section, Signature, secrets_in
from adapters.listing import Listing, Source
from adapters.port import Capability, Credentials, Envelope, Hint, Page, Receipt, Reply, Talk, Window
from canonical import parse_json
from canonical.errors import HubError, NotAuthorised, NotUnderstood, Refused, SignatureRejected

KINDS = ("order", "refund", "shipment", "stock", "invoice")


class Ack(Section):
    """The answer to a push that is safely stored."""

    status: int = Field(200, ge=200, le=299, description="HTTP status")
    body: str = Field("", description='body, such as {"code":0}')
    media_type: str = Field("application/json", description="its type")


class GenericSettings(Section):
    """An own site or any platform. Expressions are JMESPath over a record; kind and message_id may also name
    fields of the whole message."""

    signature: Signature | None = Field(None, description="how pushes are proven; without it all are rejected")
    records: tuple[str, ...] | str = Field(
        ("@", "items", "orders", "refunds", "data"), description="where records lie in a message; the first that fits"
    )
    kind: str = Field("refund_no && 'refund' || 'order'", description="what a record is; a constant in quotes")
    key: str = Field("refund_no || order_no", description="a record's own number")
    subject: str = Field("order_no", description="the order's number of a refund")
    revision: str = Field("updated_at", description="the site's mark of when a record last changed")
    message_id: str = Field("", description="id that a redelivery repeats; standard-webhooks has one of its own")
    ack: Ack = Field(default_factory=Ack, description="{status, body, media_type} of the answer to a push")
    access_token: SecretStr = Field(SecretStr(""), description="{access_token} of requests; `token` renews it")
    refresh_token: SecretStr = Field(SecretStr(""), description="{refresh_token} of `token`")
    token: Token | None = Field(None, description="how access_token is renewed: [shops.NAME.token]")
    source: dict[Literal["order", "refund"], Source] = Field(
        default_factory=dict, description="lists to pull, one table a kind: [shops.NAME.source.order]"
    )


class Generic:
    """One shop. `search` evaluates a JMESPath text over data."""

    title: ClassVar[str] = "Own site or any platform, by settings"
    kinds: ClassVar[tuple[str, ...]] = ("order", "refund")
    Settings: ClassVar[type[GenericSettings]] = GenericSettings
    uses_expressions: ClassVar[bool] = True
    capabilities: frozenset[Capability] = frozenset(
        {Capability.WEBHOOK, Capability.PULL_ORDERS, Capability.PULL_REFUNDS, Capability.FETCH}
    )

    def __init__(self, settings: GenericSettings, search: Search) -> None:
        self._settings = settings
        self._search = search
        self._answers = answers = Answers(search, secrets_in(settings))
        self._tokens = {name: getattr(settings, name).get_secret_value() for name in ("access_token", "refresh_token")}
        own = (settings.records,) if isinstance(settings.records, str) else settings.records
        self._places = list(dict.fromkeys([*own, *(s.records for s in settings.source.values() if s.records)]))
        self._listings: dict[str, Listing] = {
            k: Listing(s, answers, self._reader(s), self._tokens) for k, s in settings.source.items()
        }
        self.capabilities = _capabilities(settings)

    @property
    def expressions(self) -> dict[str, str]:
        """Every JMESPath text in the settings by its key, for the check at start-up."""
        names = ("kind", "key", "subject", "revision", "message_id")
        found = {n: getattr(self._settings, n) for n in names if getattr(self._settings, n)}
        found |= {f"records[{i}]": text for i, text in enumerate(self._places)}
        if self._settings.token:
            rules = ("ok_if", "access_token", "refresh_token", "expires_in")
            found |= {f"token.{n}": getattr(self._settings.token, n) for n in rules if getattr(self._settings.token, n)}
        for kind, source in self._settings.source.items():
            found |= {f"source.{kind}.{n}": text for n, text in source.expressions.items()}
        return found

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> None:
        """By the configured scheme, over the raw bytes."""
        how = self._settings.signature
        if how is None:
            raise SignatureRejected("this shop has no signature configured", hint="Add signature = {...} to the shop.")
        how.check(headers, raw, now)

    def unpack(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Iterator[Envelope | Hint]:
        """One message, or a batch."""
        how = self._settings.signature
        signed_id = headers.get("webhook-id", "") if how and how.scheme == "standard-webhooks" else ""
        body = parse_json(raw)
        return iter(self._envelopes(body, self._items(body, self._places), signed_id=signed_id))

    def acknowledge(self, error: HubError | None) -> Reply:
        """The configured answer; errors by status, with the error's code."""
        ack = self._settings.ack
        if error is None:
            return Reply(ack.status, ack.body.encode(), ack.media_type)
        status = 401 if isinstance(error, SignatureRejected) else 503 if error.retryable else 400
        return Reply(status, b'{"error":"%s"}' % error.code.encode())

    def read(self, body: Any, kind: str | None = None) -> Iterator[Envelope | Hint]:
        """Pages, pushes, lists and single records."""
        items = self._items(body, self._places)
        found = self._envelopes(body, items)
        wanted = [e for e in found if kind in (None, e.kind)]
        if found and not wanted:
            held = ", ".join(sorted({e.kind for e in found}))
            raise NotUnderstood(f"this holds {held}, no {kind}", hint="Check `kind` of the shop in hub.toml.")
        return iter(wanted)

    def pull(self, kind: str, window: Window, cursor: str | None, now: datetime) -> Talk[Page]:
        """One page of the kind's source."""
        listing = self._listing(kind)
        records, following = yield from listing.page(window, cursor, now)
        if listing.source.ids:
            return Page([], following, [Hint(kind, number) for number in records])
        return Page(self._envelopes(None, records, kind), following)

    def fetch(self, kind: str, key: str, now: datetime) -> Talk[Envelope]:
        """One record from the address in `fetch`."""
        body = yield from self._listing(kind, "fetch").one(key, now)
        for envelope in self._envelopes(body, self._items(body, self._places), kind):
            if envelope.key == key:
                return envelope
        raise NotUnderstood("the answer holds another record than the one that was asked for", evidence={"key": key})

    def refresh(self, now: datetime) -> Talk[Credentials | None]:
        """By `token`; None without it."""
        how, answers = self._settings.token, self._answers
        if how is None:
            return None
        view = answers.view((yield how.request(how.url, {}, self._tokens, now)))
        if not (answers.holds("ok_if", how.ok_if, view) if how.ok_if else 200 <= view["status"] < 300):
            raise answers.failure(view, now, otherwise=NotAuthorised)
        names = {"access_token": how.access_token, "refresh_token": how.refresh_token}
        found = {name: answers.value(f"token.{name}", path, view, "body") for name, path in names.items() if path}
        tokens = {name: value for name, value in found.items() if isinstance(value, str) and value}
        if "access_token" not in tokens:
            raise NotAuthorised("the answer holds no new token", hint="Mend access_token in [shops.NAME.token].")
        ends = answers.value("token.expires_in", how.expires_in, view, "body") if how.expires_in else None
        return Credentials(tokens, how.ends(ends, now))

    def tell(self, change: Mapping[str, Any], now: datetime) -> Talk[Receipt]:
        """Refused: configure an `http` destination for the site instead."""
        raise Refused(
            "the generic channel reports nothing back",
            code="delivery.not_supported",
            hint="Add a destination of kind http with the site's address, and route to it.",
        )

    def _listing(self, kind: str, key: str = "url") -> Listing:
        listing = self._listings.get(kind)
        if listing is None or not getattr(listing.source, key):
            raise Refused(
                f"no {key} of {kind}s is configured",
                code="delivery.not_supported",
                hint=f"Add {key} to [shops.NAME.source.{kind}] in hub.toml.",
            )
        return listing

    def _reader(self, source: Source) -> Any:
        places = [source.records] if source.records else self._places
        return lambda body: self._items(body, places)

    def _items(self, body: Any, places: list[str]) -> list[dict[str, Any]]:
        """The first place that holds records; an empty list only where no place holds any."""
        empty = False
        for place in places:
            found = self._find(place, body)
            found = [found] if isinstance(found, dict) else found
            if _records(found) and any(self._text(self._settings.key, r) for r in found):
                return found
            empty = empty or found == []
        if empty:
            return []
        raise NotUnderstood(
            "no record with a number was found in this message",
            hint=f"Known places: {', '.join(places)}; number: {self._settings.key}. Mend records and key in hub.toml.",
        )

    def _envelopes(
        self, message: Any, items: list[dict[str, Any]], kind: str = "", signed_id: str = ""
    ) -> list[Envelope]:
        settings, found = self._settings, []
        for number, record in enumerate(items):
            # A record without a number goes on as well: its mapping names what is missing, and its neighbours arrive.
            key = self._text(settings.key, record)
            what = kind or self._text(settings.kind, record) or self._text(settings.kind, message)
            if what not in KINDS:
                raise NotUnderstood(
                    f"record {number} is of no known kind",
                    hint=f"`kind` must give one of {', '.join(KINDS)}. Mend it in hub.toml.",
                    evidence={"expression": settings.kind, "found": what[:100], "key": key},
                )
            found.append(
                Envelope(
                    what,
                    key,
                    record,
                    revision=self._text(settings.revision, record),
                    subject=key if what == "order" else self._text(settings.subject, record),
                    message_id=self._message_id(record, message, signed_id, f"#{number}" if len(items) > 1 else ""),
                )
            )
        return found

    def _message_id(self, record: Any, message: Any, signed_id: str, place: str) -> str:
        own = self._text(self._settings.message_id, record)
        whole = signed_id or self._text(self._settings.message_id, message)
        # One message may bring several records: its id names each of them with their place in it.
        return own or (whole and whole + place)

    def _find(self, text: str, data: Any) -> Any:
        try:
            return self._search(text, data)
        except SEARCH_ERRORS:
            # A function that does not take this type: for this message the expression says nothing.
            return None

    def _text(self, expression: str, data: Any) -> str:
        """A number or a text as text, "" for anything else: nothing else can be an id."""
        value = self._find(expression, data) if expression else None
        return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _records(found: Any) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(found, list) and all(isinstance(r, dict) for r in found)


def _capabilities(settings: GenericSettings) -> frozenset[Capability]:
    able = {
        Capability.TOKEN_REFRESH: settings.token is not None,
        Capability.WEBHOOK: settings.signature is not None,
        Capability.PULL_ORDERS: "order" in settings.source,
        Capability.PULL_REFUNDS: "refund" in settings.source,
        Capability.FETCH: any(s.fetch for s in settings.source.values()),
    }
    return frozenset(c for c, yes in able.items() if yes)


ADAPTER = Generic
