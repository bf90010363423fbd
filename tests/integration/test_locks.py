"""Processes that share a PostgreSQL and write the same rows in different orders do not wait for each other."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from dlq import groups
from hub import clock
from hub.store import inbox, leases
from hub.store.tables import deliveries
from tests.guards import HANGS
from tests.rig import Rig, order


def pushed(*names: str) -> Sequence[inbox.Incoming]:
    now = clock.now().timestamp()
    return [
        inbox.Incoming("default", "site", "generic", "order", name, name, "", "push", name, b"", now) for name in names
    ]


WAITING = text("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")


async def all_wait(rig: Rig, *tasks: asyncio.Task[Any]) -> None:
    """Until each of these stands before a lock, as PostgreSQL itself tells."""
    async with asyncio.timeout(HANGS):
        while await rig.read(lambda connection: connection.execute(WAITING).scalar_one()) < len(tasks):
            assert not any(task.done() for task in tasks), "it was to wait"


async def test_the_same_pushes_in_another_order(postgres_url: str, tmp_path: Path) -> None:
    rig = Rig(tmp_path, postgres_url)
    with rig.hub.store.begin() as connection:
        inbox.accept(connection, pushed("middle"))  # both wait for this one, each with its first on its way
        both = [
            asyncio.create_task(rig.run(inbox.accept, pushed(*names)))
            for names in (("one", "middle", "two"), ("two", "middle", "one"))
        ]
        await all_wait(rig, *both)
        connection.rollback()
    (new, _), (newer, _) = await asyncio.gather(*both)
    assert len(new) + len(newer) == 3
    await rig.close()


async def test_a_heartbeat_waits_for_no_outcome(postgres_url: str, tmp_path: Path) -> None:
    rig = Rig(tmp_path, postgres_url)
    for name in ("W1", "W2"):
        await rig.push(order(name))
    await rig.flow.translate()
    ids = [row["id"] for row in (await rig.flow.claim("erp", 10)).rows]
    now, owner = clock.now().timestamp(), rig.hub.store.owner
    with rig.hub.store.begin() as connection:
        connection.execute(select(deliveries).where(deliveries.c.id == ids[0]).with_for_update())
        async with asyncio.timeout(HANGS):
            await rig.run(leases.heartbeat, ids, owner, now, 1000.0, {})
            assert await rig.run(leases.reap, now, {}) == 0
    query = select(deliveries.c.lease_until).where(deliveries.c.id.in_(ids)).order_by(deliveries.c.id)
    until = list(await rig.read(lambda connection: connection.execute(query).scalars().all()))
    assert until[0] < now + 500 < until[1]
    await rig.close()


async def test_two_have_the_first_letter_of_a_group(postgres_url: str, tmp_path: Path) -> None:
    rig = Rig(tmp_path, postgres_url)
    now = clock.now().timestamp()
    letter = {"id": 7, "cause": "mapping.missing", "step": "map", "channel": "generic", "destination": ""}
    died = groups.Change("f" * 32, 1, "CNY", 100, died=True, sample=letter | {"title": "t", "hint": "h"})
    with rig.hub.store.begin() as connection:
        groups.keep(connection, [died], now)
        other = asyncio.create_task(rig.run(groups.keep, [died], now))
        await all_wait(rig, other)
    await other
    (group,) = await rig.read(groups.find)
    assert (group["total"], group["count"]) == (2, 2)
    await rig.close()
