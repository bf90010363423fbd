"""Groups of dead letters with one cause, and their life. Kept beside the letters, so that no page has to count them.

A group opens with its first letter. A person acknowledges it, gives it to somebody, or has it ignored. It is resolved
by itself when its last letter is, and opens again when the cause comes back; only an ignored one stays as it is.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Insert,
    Integer,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    insert,
    or_,
    select,
    update,
)

from dlq.life import UNRESOLVED, Life
from dlq.upsert import insert_into

metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")

HOURS = 24
"""Hours of which a group keeps how many letters came in each."""
STAKE_UNIT = 10_000
"""Money at stake is kept in ten-thousandths of a currency's unit: sums are whole numbers."""
MOST_AT_STAKE = 10**17
"""What is kept of one letter at most, so that columns and sums hold it."""


groups = Table(
    "dead_letter_groups",
    metadata,
    Column("fingerprint", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("owner", String(64), nullable=False, server_default=""),
    Column("cause", String(64), nullable=False),
    Column("step", String(16), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("destination", String(64), nullable=False),
    Column("title", String(300), nullable=False),
    Column("hint", String(300), nullable=False),
    Column("sample", Id, nullable=False),  # the newest letter
    Column("alive", Integer, nullable=False),  # letters that are open or on their way again
    Column("total", Integer, nullable=False),  # deaths since the beginning
    Column("stakes", Text, nullable=False, server_default="{}"),  # JSON: currency -> STAKE_UNITths, of the alive
    Column("hours", Text, nullable=False, server_default="[]"),  # JSON: [hour since 1970, deaths], oldest first
    Column("first_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("changed_by", String(64), nullable=False, server_default="hub"),
    Column("told", String(16), nullable=False, server_default=""),  # the state that the alert hook heard of last
    Index("dead_letter_groups_by_size", "state", "alive", "fingerprint"),
)

remarks = Table(
    "dead_letter_group_notes",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("fingerprint", String(32), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("text", Text, nullable=False),
)


class Change(NamedTuple):
    """Letters of one group that came (`by` > 0) or ended (`by` < 0), with what is at stake in each currency."""

    fingerprint: str
    by: int
    currency: str
    stake: int
    died: bool = False
    sample: Mapping[str, Any] | None = None  # the newest letter, where one died


def keep(connection: Connection, changes: Iterable[Change], now: float) -> None:
    """Bring the groups up to date with what became of their letters, in the same transaction."""
    by_group: dict[str, list[Change]] = {}
    for change in changes:
        by_group.setdefault(change.fingerprint, []).append(change)
    if not by_group:
        return
    names = sorted(by_group)
    known = _locked(connection, names)
    new = [_born(by_group[name], now) for name in names if name not in known]
    if new:  # another process may have its first letter at this moment
        connection.execute(_insert(connection.dialect.name), new)
        known |= _locked(connection, [row["fingerprint"] for row in new])
    for name in names:
        row = known[name]
        for change in by_group[name]:
            _apply(row, change, now)
        _live(row, now)
        connection.execute(update(groups).where(groups.c.fingerprint == name).values(**row))


@cache
def _insert(dialect: str) -> Insert:
    return insert_into(dialect, groups).on_conflict_do_nothing()


def _locked(connection: Connection, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    query = select(groups).where(groups.c.fingerprint.in_(names)).order_by(groups.c.fingerprint)
    return {row["fingerprint"]: dict(row) for row in connection.execute(query.with_for_update()).mappings()}


def _born(changes: Sequence[Change], now: float) -> dict[str, Any]:
    letter = next((c.sample for c in changes if c.sample), None) or {}
    words = {name: letter.get(name, "") for name in ("cause", "step", "channel", "destination", "title", "hint")}
    counts = {"sample": letter.get("id", 0), "alive": 0, "total": 0, "stakes": "{}", "hours": "[]"}
    times = {"first_at": now, "last_at": now, "changed_at": now, "changed_by": "hub"}
    return {"fingerprint": changes[0].fingerprint, "state": Life.OPEN, "owner": "", **words, **counts, **times}


def _apply(row: dict[str, Any], change: Change, now: float) -> None:
    row["alive"] = max(0, row["alive"] + change.by)
    if change.currency:
        stakes = json.loads(row["stakes"])
        stakes[change.currency] = stakes.get(change.currency, 0) + change.stake * (1 if change.by > 0 else -1)
        row["stakes"] = json.dumps({k: v for k, v in stakes.items() if v > 0})
    if not change.died:
        return
    hour, hours = int(now // 3600), json.loads(row["hours"])
    if hours and hours[-1][0] == hour:
        hours[-1][1] += 1
    else:
        hours.append([hour, 1])
    row |= {"total": row["total"] + 1, "last_at": now, "hours": json.dumps([h for h in hours if h[0] > hour - HOURS])}
    if change.sample:
        row |= {name: change.sample[name] for name in ("title", "hint")} | {"sample": change.sample["id"]}


def _live(row: dict[str, Any], now: float) -> None:
    """Resolved with its last letter; open again with the next one."""
    before = row["state"]
    if row["alive"] == 0 and before in UNRESOLVED:
        row["state"] = Life.RESOLVED
    elif row["alive"] and before == Life.RESOLVED:
        row["state"] = Life.ASSIGNED if row["owner"] else Life.OPEN
    if row["state"] != before:
        row |= {"changed_at": now, "changed_by": "hub"}


def find(
    connection: Connection, *, states: Sequence[str] = UNRESOLVED, after: str = "", limit: int = 100
) -> list[dict[str, Any]]:
    """The largest first. `after` is the `cursor` of the last one of the page before."""
    c = groups.c
    query = select(groups).where(c.state.in_(list(states)))
    if after:
        size, _, name = after.partition("-")
        query = query.where(or_(c.alive < int(size), and_(c.alive == int(size), c.fingerprint > name)))
    rows = connection.execute(query.order_by(c.alive.desc(), c.fingerprint).limit(limit)).mappings()
    return [shown(row) for row in rows]


def get(connection: Connection, fingerprint: str) -> dict[str, Any] | None:
    """The one group whose fingerprint begins like this, with its notes; None if there is none, or several."""
    like = groups.c.fingerprint.startswith(fingerprint, autoescape=True)
    rows = connection.execute(select(groups).where(like).limit(2)).mappings().all()
    if len(rows) != 1:
        return None
    said = select(remarks).where(remarks.c.fingerprint == rows[0]["fingerprint"]).order_by(remarks.c.id)
    notes = [{"at": n["at"], "by": n["actor"], "text": n["text"]} for n in connection.execute(said).mappings()]
    return shown(rows[0]) | {"notes": notes}


def set_state(connection: Connection, fingerprint: str, state: Life, owner: str, actor: str, now: float) -> None:
    """What a person decides of a group."""
    values = {"state": state, "owner": owner, "changed_at": now, "changed_by": actor}
    connection.execute(update(groups).where(groups.c.fingerprint == fingerprint).values(**values))


def note(connection: Connection, fingerprint: str, actor: str, text: str, now: float) -> None:
    """Keep what a person found out about the cause; it stays when the letters are gone."""
    connection.execute(insert(remarks).values(fingerprint=fingerprint, at=now, actor=actor, text=text))


def untold(connection: Connection, limit: int = 50) -> list[dict[str, Any]]:
    """Groups whose state nobody was told of yet, the oldest change first."""
    query = select(groups).where(groups.c.told != groups.c.state).order_by(groups.c.changed_at).limit(limit)
    return [shown(row) for row in connection.execute(query).mappings()]


def told(connection: Connection, fingerprint: str, state: str) -> None:
    """The alert hook took this state of the group."""
    connection.execute(update(groups).where(groups.c.fingerprint == fingerprint).values(told=state))


def shown(row: RowMapping) -> dict[str, Any]:
    """A row as plain data: `count` letters alive, `money` by currency as text, `trend` of deaths per hour."""
    data = dict(row)
    data["money"] = money(json.loads(data.pop("stakes")))
    data["trend"] = [count for _, count in json.loads(data.pop("hours"))]
    data["count"] = data.pop("alive")
    data["cursor"] = f"{data['count']}-{data['fingerprint']}"
    del data["told"]
    return data


def money(stakes: Mapping[str, int]) -> dict[str, str]:
    """Sums in STAKE_UNITths as decimal text with two places."""
    return {currency: f"{units / STAKE_UNIT:.2f}" for currency, units in sorted(stakes.items()) if units}
