"""Taking a person's data out of the hub, and letting go of what is past its time. The books' skeleton stays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dlq import edits, shelf
from hub import clock
from hub.config import Retention
from hub.desk import NotFound, NotNow
from hub.store import Connection, audit, inbox, people, retention, views
from hub.store.vault import ACTIVE

AT_ONCE = 500


@dataclass(slots=True)
class Erased:
    """What was taken out, in rows."""

    orders: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"orders": self.orders, **self.counts}


def find(connection: Connection, wanted: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(tenant, shop, order) of everything about a person: by phone, name, email (all that are given must fit)."""
    ids = people.find(connection, views.tenants(connection), wanted)
    return people.subjects(connection, ids)


def erase(
    connection: Connection, wanted: Mapping[str, str], orders: list[tuple[str, str, str]], actor: str, *, force: bool
) -> Erased:
    """Erase what is personal of these orders. The audit log keeps that it was done, and keyed hashes of who it was.

    Raises NotFound where there is nothing, NotNow where something is still on its way (unless `force`: it then goes
    out without what was erased).
    """
    if not orders:
        raise NotFound(
            "nobody by that name, phone or address is in the store",
            hint="hub orders list --phone, or --name, finds people; hub trace ORDER an order",
        )
    moving = people.unfinished(connection, orders)
    if moving and not force:
        told = ", ".join(map(str, moving[:5]))
        raise NotNow(
            f"{len(moving)} deliveries of this person are still on their way ({told})",
            hint="wait for them, or discard them; or --force: they go out without personal data",
        )
    now, done = clock.now().timestamp(), Erased(len(orders))
    for tenant, shop, subject in orders:
        counts = people.erase(connection, tenant, shop, subject)
        letters = shelf.erase(connection, tenant, shop, subject, now, by=actor)
        edits.erase(connection, letters)
        counts["letters"] = len(letters)
        inbox.end_erased(connection, tenant, shop, subject, now)
        for name, count in counts.items():
            done.counts[name] = done.counts.get(name, 0) + count
    audit.write(connection, now, actor, "person.erased", _who(wanted), f"{done.as_dict()}")
    return done


def _who(wanted: Mapping[str, str]) -> str:
    """Who it was, for somebody who asks again with the same words; nothing that could be read."""
    vault = ACTIVE.get()
    if vault is None:
        return "a person"
    return ", ".join(
        f"{what} {vault.hashed('', what, people.normal(what, value))[:16]}" for what, value in sorted(wanted.items())
    )


def tidy(connection: Connection, policy: Retention, now: float) -> dict[str, int]:
    """One part of what is past its time: raw bodies, attempts, finished documents. Dead letters, and what they are
    about, stay whatever their age. Returns how many rows of each; call it again until it finds nothing."""
    counts = {
        "raw": retention.raw(connection, now - policy.raw, AT_ONCE) if policy.raw else 0,
        "attempts": retention.attempts_of_finished(connection, now - policy.attempts, AT_ONCE)
        if policy.attempts
        else 0,
        "documents": retention.finished(connection, now - policy.documents, AT_ONCE) if policy.documents else 0,
    }
    return {name: count for name, count in counts.items() if count}
