"""Versions of a mapping held against what is stored: what a change would have made of real history.

Inputs are streamed in pages, each in a transaction of its own: a long look holds nothing up and needs little memory.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from canonical.errors import ConfigError, HubError
from canonical.parsing import parse_json
from dlq import Step, shelf
from hub import clock
from hub.config import Config
from hub.mapping.catalog import Catalog
from hub.mapping.difference import Comparison, Outcome, Report, personal_fields
from hub.receiving import ShopFront
from hub.store import Connection, Store, history, inbox

PAGE = 500
"""Inputs read at once."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a mapping concerns: the shops whose records it translates, or the destinations whose bodies it makes."""

    name: str
    kind: str
    outward: bool
    shops: Mapping[str, ShopFront]
    destinations: tuple[str, ...] = ()


def scope_of(catalog: Catalog, name: str, shops: Mapping[str, ShopFront], config: Config) -> Scope:
    """The shops or destinations of hub.toml that use a mapping, by its full name, itself or through an overlay."""
    mapping = catalog.mapping(name)
    if mapping.outward:
        folder = mapping.name.partition("/")[0]
        using = tuple(n for n, section in config.destinations.items() if section.mapping in (folder, mapping.name))
        return Scope(name, mapping.kind, True, {}, using)
    return Scope(name, mapping.kind, False, {n: s for n, s in shops.items() if _uses(catalog, s, name, mapping.kind)})


def _uses(catalog: Catalog, shop: ShopFront, name: str, kind: str) -> bool:
    try:
        translator = catalog.channel(shop.mappings, kind, shop.overlay)
    except ConfigError:  # it has no mapping for this kind
        return False
    for mapping in translator.mappings:
        full, seen = mapping.full_name, set[str]()
        while full != name and full not in seen:
            seen.add(full)
            extends = catalog.mapping(full).extends
            full = f"channels/{extends}" if extends else full
        if full == name:
            return True
    return False


def compare(
    old: Catalog,
    new: Catalog,
    name: str,
    messages: Iterable[Mapping[str, Any]],
    *,
    shops: Mapping[str, ShopFront] | None = None,
    report: Report | None = None,
) -> Report:
    """Map every input with both and sum up what differs. `name` is the mapping's full name in both catalogs.

    `messages` are rows with id, tenant, shop, channel, kind, key and body (compressed), as hub.store.history and
    hub.store.inbox have them. `shops` tells which folder and overlay a shop uses (its channel's own without). With
    `report` it goes on counting in that.
    """
    mapping = new.mapping(name)
    report = report or Report(name, old.mapping(name).version, mapping.version)
    comparison = Comparison(report, personal_fields(mapping))
    before, after = (maker(catalog, name, shops or {}) for catalog in (old, new))
    for message in messages:
        try:
            record = parse_json(inbox.decompress(message["body"]))
        except HubError:
            report.unreadable += 1
            continue
        shop = str(message["shop"])
        report.shops[shop] = report.shops.get(shop, 0) + 1
        where = {message.get("of", "message"): message["id"], "shop": shop, "key": message["key"]}
        comparison.add(before(record, message), after(record, message), where)
    return report


_Make = Callable[[Any, Mapping[str, Any]], Outcome]


def maker(catalog: Catalog, name: str, shops: Mapping[str, ShopFront]) -> _Make:
    """What a catalog makes of an input."""
    if name.startswith("destinations/"):
        rendering = catalog.destination(name.partition("/")[2])

        def render(document: Any, _: Mapping[str, Any]) -> Outcome:
            body, problems = rendering.render(document)
            return Outcome(body, problems)

        return render

    now = clock.now()

    def translate(record: Any, message: Mapping[str, Any]) -> Outcome:
        shop = shops.get(message["shop"])
        folder, overlay = (shop.mappings, shop.overlay) if shop else (message["channel"], "")
        own = {key: message[key] for key in ("tenant", "shop", "channel")}
        result = catalog.channel(folder, message["kind"], overlay).translate(record, **own, now=now)
        return Outcome(result.document, result.problems, result.ignored)

    return translate


def stored(store: Store, scope: Scope, *, last: int = 0, since: float = 0.0) -> Iterator[dict[str, Any]]:
    """The stored inputs of a mapping, oldest first: the newest `last`, or what arrived `since` (epoch seconds)."""
    users = scope.destinations if scope.outward else list(scope.shops)
    if not scope.outward and not users:
        return
    with store.look() as connection:
        after = _start(connection, scope, users, last, since)
    while True:
        with store.look() as connection:
            if scope.outward:
                rows, more = history.document_page(connection, scope.kind, users, after, PAGE, since)
            else:
                rows, more = history.message_page(connection, scope.kind, users, after, PAGE, since=since)
        for row in rows:
            yield {**row, "body": inbox.compress(row["body"]), "of": "document"} if scope.outward else row
        if not more:
            return
        after = rows[-1]["id"]


def _start(connection: Connection, scope: Scope, users: Collection[str], last: int, since: float) -> int:
    if since:
        return 0 if scope.outward else history.before_time(connection, since)
    if not last:
        return 0
    newest = history.before_newest_document if scope.outward else history.before_newest
    return newest(connection, scope.kind, users, last)


def count_letters(store: Store, new: Catalog, scope: Scope, report: Report) -> None:
    """Note in a report how many open dead letters there are that a mapping may mend, and how many the new one would."""
    make = maker(new, scope.name, scope.shops)
    for row in _letters(store, scope):
        report.letters["open"] += 1
        try:
            outcome = make(parse_json(inbox.decompress(row["body"])), row)
        except HubError:
            continue
        report.letters["mended"] += not outcome.problems


def _letters(store: Store, scope: Scope) -> Iterator[dict[str, Any]]:
    """The inputs of open letters, newest letter first."""
    for step in (Step.SEND,) if scope.outward else (Step.MAP, Step.CHECK):
        before: int | None = None
        while True:
            with store.look() as connection:
                letters = shelf.find(connection, before=before, limit=PAGE, step=step, kind=scope.kind)
                about = "delivery_id" if scope.outward else "message_id"
                ids = [letter[about] for letter in letters if letter[about] and _concerns(scope, letter)]
                rows = history.bodies(connection, ids, of_deliveries=scope.outward)
            yield from rows
            if len(letters) < PAGE:
                break
            before = letters[-1]["id"]


def _concerns(scope: Scope, letter: Mapping[str, Any]) -> bool:
    if scope.outward:  # one that the destination itself refused has no problems of a mapping
        return letter["destination"] in scope.destinations and bool(letter["problems"])
    return letter["shop"] in scope.shops


def keep(connection: Connection, report: Report, actor: str) -> int:
    """Note that a person has seen this; returns the report's id. Without history it counts as seen all the same."""
    now = clock.now().timestamp()
    return history.keep_diff(connection, report.name, report.old, report.new, report.as_dict(), actor, now)
