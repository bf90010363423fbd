"""Replays as jobs that live in the store: which letters, how fast, in which steps, and what became of each.

The list is frozen when the job is made: letters that come later are another job's. This module keeps the books; what
sending a letter on means is the hub's. Functions work on a given connection and never commit.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    Float,
    Index,
    Integer,
    RowMapping,
    Select,
    String,
    Table,
    Text,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from dlq.groups import Id, metadata, money
from dlq.letter import State
from dlq.shelf import letters


class Job(StrEnum):
    """The life of a replay."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"  # by a person, or by itself because too many died again; `reason` says which
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of a letter of a replay. `died` and `taken_at` stay as they are where they are None."""

    letter_id: int
    state: str
    why: str = ""
    died: int | None = None
    taken_at: float | None = None
    done_at: float | None = None


class Item(StrEnum):
    """What became of one letter of a replay."""

    WAITING = "waiting"
    GOING = "going"
    WENT_THROUGH = "went_through"
    DIED_AGAIN = "died_again"
    SKIPPED = "skipped"  # it was no longer open when its turn came


RAMP = (1, 5, 20, 100)
"""Per cent of the list that may be under way or done, stage by stage."""

replays = Table(
    "replays",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", String(300), nullable=False, server_default=""),
    Column("filter", Text, nullable=False),  # JSON, as it was asked for
    Column("step", String(16), nullable=False, server_default=""),  # empty: where each one stuck
    Column("mapping_version", String(160), nullable=False, server_default=""),  # empty: the one in force
    Column("rate", Float),  # letters a second; null: as many as leave the orders of the day alone
    Column("ramp", Text, nullable=False),  # JSON: per cents
    Column("tokens", Float),
    Column("tokens_at", Double),
    Column("stage", Integer, nullable=False, server_default="0"),
    Column("stop_at", Float, nullable=False),  # share of a stage's letters that may die again
    Column("died_before", Integer, nullable=False, server_default="0"),  # what had died, and ended, when it went on
    Column("ended_before", Integer, nullable=False, server_default="0"),
    Column("total", Integer, nullable=False),
    Column("tally", Text, nullable=False, server_default="{}"),  # JSON: how many of its items are in each state
    Column("plan", Text, nullable=False, server_default="{}"),  # JSON
    Column("created_at", Double, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False, server_default="0"),
    Column("lease_owner", String(64), nullable=False, server_default=""),
)

items = Table(
    "replay_items",
    metadata,
    Column("replay_id", Id, primary_key=True, autoincrement=False),
    Column("letter_id", Id, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("died", Integer, nullable=False),  # the letter's deaths when it was taken
    Column("why", String(300), nullable=False, server_default=""),
    Column("taken_at", Double),
    Column("done_at", Double),
    Index("replay_items_by_state", "replay_id", "state", "letter_id"),
)

_REAL = or_(letters.c.message_id.is_not(None), letters.c.delivery_id.is_not(None))
"""Tickets about a whole destination are resumed, not replayed."""

_HIDDEN = ("lease_until", "lease_owner", "tokens", "tokens_at", "died_before", "ended_before", "tally")

FILTERS = ("fingerprint", "shop", "channel", "destination", "cause", "step", "kind", "owner", "subject", "tenant")
"""Columns of letters that a replay may be limited to."""


def create(
    connection: Connection, wanted: Mapping[str, Any], settings: Mapping[str, Any], actor: str, now: float
) -> int:
    """Freeze the open letters that fit `wanted` (FILTERS, `ids`, `since`, `until`, `limit`) into a planned job."""
    values = {
        **settings, "state": Job.PLANNED, "filter": json.dumps(dict(wanted)), "total": 0, "created_at": now,
        "created_by": actor, "updated_at": now,
    }  # fmt: skip
    number = int(connection.execute(insert(replays).values(**values).returning(replays.c.id)).scalar_one())
    chosen = _chosen(wanted, number)
    connection.execute(insert(items).from_select(["replay_id", "letter_id", "state", "died"], chosen))
    total = connection.execute(select(func.count()).where(items.c.replay_id == number)).scalar()
    tally = json.dumps({Item.WAITING.value: total})
    connection.execute(update(replays).where(replays.c.id == number).values(total=total, tally=tally))
    return number


def _chosen(wanted: Mapping[str, Any], number: int) -> Select[Any]:
    query = select(literal(number), letters.c.id, literal(Item.WAITING.value), letters.c.died)
    query = query.where(letters.c.state == State.OPEN, _REAL)
    for name in FILTERS:
        if wanted.get(name):
            query = query.where(letters.c[name] == wanted[name])
    if wanted.get("ids"):
        query = query.where(letters.c.id.in_([int(i) for i in wanted["ids"]]))
    if wanted.get("since"):
        query = query.where(letters.c.updated_at >= float(wanted["since"]))
    if wanted.get("until"):
        query = query.where(letters.c.updated_at < float(wanted["until"]))
    query = query.order_by(letters.c.id)
    return query.limit(int(wanted["limit"])) if wanted.get("limit") else query


def keep_plan(connection: Connection, number: int, plan: Mapping[str, Any]) -> None:
    """Keep what the plan told."""
    connection.execute(update(replays).where(replays.c.id == number).values(plan=json.dumps(dict(plan))))


def summary(connection: Connection, number: int) -> dict[str, Any]:
    """The list by step, destination, cause and shop, and the money at stake by currency."""
    mine = and_(items.c.replay_id == number, items.c.letter_id == letters.c.id)

    def by(column: Any) -> dict[str, int]:
        query = select(column, func.count()).select_from(items.join(letters, mine)).group_by(column)
        return {str(name): int(count) for name, count in connection.execute(query).all() if name}

    stakes = select(letters.c.currency, func.sum(letters.c.stake)).select_from(items.join(letters, mine))
    sums = connection.execute(stakes.group_by(letters.c.currency)).all()
    return {
        "steps": by(letters.c.step), "destinations": by(letters.c.destination), "causes": by(letters.c.cause),
        "shops": by(letters.c.shop), "money": money({c: int(s or 0) for c, s in sums if c}),
    }  # fmt: skip


def get(connection: Connection, number: int) -> dict[str, Any] | None:
    """One replay with its counts, or None."""
    row = connection.execute(select(replays).where(replays.c.id == number)).mappings().first()
    return None if row is None else _shown(connection, row)


def find(connection: Connection, *, before: int | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """Newest first."""
    query = select(replays).order_by(replays.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(replays.c.id < before)
    return [_shown(connection, row) for row in connection.execute(query).mappings()]


def _shown(connection: Connection, row: RowMapping) -> dict[str, Any]:
    counted = select(items.c.state, func.count()).where(items.c.replay_id == row["id"]).group_by(items.c.state)
    counts = {state: int(count) for state, count in connection.execute(counted).all()}
    data = {k: v for k, v in row.items() if k not in _HIDDEN}
    data |= {name: json.loads(data[name]) for name in ("filter", "ramp", "plan")}
    return data | {"counts": {state.value: counts.get(state.value, 0) for state in Item}}


def results(
    connection: Connection, number: int, *, after: int = 0, limit: int = 500, state: str = ""
) -> list[dict[str, Any]]:
    """What became of each letter, by letter; `after` is the letter to go on from."""
    columns = (
        items.c.letter_id, items.c.state, items.c.why, items.c.taken_at, items.c.done_at, letters.c.subject,
        letters.c.shop, letters.c.destination, letters.c.cause,
    )  # fmt: skip
    joined = items.join(letters, items.c.letter_id == letters.c.id)
    query = select(*columns).select_from(joined).where(items.c.replay_id == number, items.c.letter_id > after)
    if state:
        query = query.where(items.c.state == state)
    return [dict(row) for row in connection.execute(query.order_by(items.c.letter_id).limit(limit)).mappings()]


def change(connection: Connection, number: int, states: Sequence[Job], now: float, **values: Any) -> bool:
    """Change a replay if it is in one of these states: of two who act at once, one is told that it was too late."""
    mine = and_(replays.c.id == number, replays.c.state.in_(list(states)))
    return bool(connection.execute(update(replays).where(mine).values(updated_at=now, **values)).rowcount)


def lease(connection: Connection, now: float, until: float, owner: str) -> dict[str, Any] | None:
    """Take the running replay that was looked after longest ago; None if there is none, or others have it."""
    mine = or_(replays.c.lease_until <= now, replays.c.lease_owner == owner)
    due = select(replays.c.id).where(replays.c.state == Job.RUNNING, mine).order_by(replays.c.updated_at).limit(1)
    if connection.dialect.name == "postgresql":
        due = due.with_for_update(skip_locked=True)
    taken = (
        update(replays)
        .where(replays.c.id.in_(due.scalar_subquery()))
        .values(lease_until=until, lease_owner=owner, updated_at=now)
        .returning(replays)
    )
    row = connection.execute(taken).mappings().first()
    return None if row is None else {**row, "ramp": json.loads(row["ramp"]), "tally": Counter(json.loads(row["tally"]))}


def drop_leases(connection: Connection, owner: str = "") -> None:
    """Give back the replays that a process holds; without a name what all hold, for a single working process."""
    held = replays.c.lease_owner == owner if owner else replays.c.lease_owner != ""
    connection.execute(update(replays).where(held).values(lease_until=0.0, lease_owner=""))


def waiting(connection: Connection, number: int, most: int) -> list[dict[str, Any]]:
    """The next letters of the list (id, died, shop, subject, destination), oldest first, none of an order that has one
    under way: its order is kept."""
    going = {"number": number, "state": Item.GOING, "most": LOOKED_AT}
    seen = {(row.shop, row.subject, row.destination) for row in connection.execute(_PLACES, going)}
    # More are read than are wanted: some are of orders that have one under way.
    values = {"number": number, "state": Item.WAITING, "most": min(4 * most + len(seen) + 100, LOOKED_AT)}
    rows: list[dict[str, Any]] = []
    for row in connection.execute(_PLACES, values).mappings():
        place = (row["shop"], row["subject"], row["destination"])
        if len(rows) == most:
            break
        if row["subject"] and place in seen:
            continue
        seen.add(place)
        rows.append(dict(row))
    return rows


LOOKED_AT = 2000
_JOINED = items.join(letters, items.c.letter_id == letters.c.id)
_PLACES = (
    select(letters.c.id, letters.c.died, letters.c.shop, letters.c.subject, letters.c.destination)
    .select_from(_JOINED)
    .where(items.c.replay_id == bindparam("number"), items.c.state == bindparam("state"))
    .order_by(items.c.letter_id)
    .limit(bindparam("most"))
)


def mark(connection: Connection, number: int, rows: Sequence[Mark]) -> None:
    """Write what became of letters."""
    if rows:
        connection.execute(_MARK, [{"b_replay": number, **{f"b_{k}": v for k, v in asdict(r).items()}} for r in rows])


_MARK = (
    update(items)
    .where(items.c.replay_id == bindparam("b_replay"), items.c.letter_id == bindparam("b_letter_id"))
    .values(
        state=bindparam("b_state"),
        why=bindparam("b_why"),
        died=func.coalesce(bindparam("b_died"), items.c.died),
        taken_at=func.coalesce(bindparam("b_taken_at"), items.c.taken_at),
        done_at=bindparam("b_done_at"),
    )
)


def going(connection: Connection, number: int, most: int = 1000) -> list[dict[str, Any]]:
    """Letters under way, with what they are now."""
    values = {"number": number, "state": Item.GOING, "most": most}
    return [dict(row) for row in connection.execute(_UNDER_WAY, values).mappings()]


_UNDER_WAY = (
    select(items.c.letter_id, letters.c.state.label("now"), letters.c.title, letters.c.closed_why)
    .select_from(_JOINED)
    .where(items.c.replay_id == bindparam("number"), items.c.state == bindparam("state"))
    .order_by(items.c.letter_id)
    .limit(bindparam("most"))
)


def keep_tally(connection: Connection, number: int, tally: Mapping[str, int]) -> None:
    """How many of the items are in each state, so that a turn need not count a hundred thousand."""
    connection.execute(update(replays).where(replays.c.id == number).values(tally=json.dumps(dict(tally))))


def counts(connection: Connection, number: int) -> dict[str, int]:
    """How many letters of a replay are in each state."""
    query = select(items.c.state, func.count()).where(items.c.replay_id == number).group_by(items.c.state)
    return {state: int(count) for state, count in connection.execute(query).all()}
