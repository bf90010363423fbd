"""Four queues, live before retry before replay before backfill, so that no replay starves live orders.

What is most urgent goes first; of a claim that it would fill alone, each of the others is guaranteed a share.
"""

import math
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, select, union_all

from hub.store.tables import BACKFILL, LIVE, REPLAY, RETRY

SHARES = {RETRY: 0.15, REPLAY: 0.10, BACKFILL: 0.05}
"""What each is guaranteed of a claim, at least one; live orders have the rest, and all that the others leave."""
FEW = 4
"""A claim of fewer than these is too small to be shared: it goes to the most urgent."""
ALL = (LIVE, RETRY, REPLAY, BACKFILL)

Take = Callable[[tuple[int, ...], int], list[dict[str, Any]]]


def shared(wanted: int, take: Take) -> list[dict[str, Any]]:
    """Rows for `wanted` free places. `take(queues, most)` claims from these queues, the most urgent first."""
    if wanted < FEW:
        return take(ALL, wanted)
    kept = {queue: math.ceil(wanted * share) for queue, share in SHARES.items()}
    most = wanted - sum(kept.values())
    rows = take(ALL, most)
    if len(rows) < most:  # there is no more in any of them
        return rows
    for queue, share in kept.items():
        rows += take((queue,), share)
    left = wanted - len(rows)
    return rows + take(ALL, left) if left else rows


def ready(
    table: Table, queues: tuple[int, ...], *due: ColumnElement[bool], skip_locked: bool, kinds: tuple[str, ...] = ()
) -> Select[Any]:
    """Ids of rows that are due, the most urgent queue first and the oldest first within it; `:most` of them. Of these
    kinds only, where some are named.

    Each queue is a range of an index: what waits for later, or is of another kind, costs nothing, however much it is.
    """
    order = [table.c.due_at, table.c.id] if "destination" in table.c else [table.c.id]

    def some(*conditions: ColumnElement[bool]) -> Any:
        query = select(*order).where(*conditions, *due).order_by(*order).limit(bindparam("most"))
        return select(query.with_for_update(skip_locked=True).subquery() if skip_locked else query.subquery())

    def one(queue: int) -> Any:
        if not kinds:
            return some(table.c.queue == queue)
        each = union_all(*(some(table.c.queue == queue, table.c.kind == kind) for kind in kinds)).subquery()
        oldest = select(*each.c).order_by(*each.c).limit(bindparam("most")).subquery()
        return select(oldest)

    parts = union_all(*(one(queue) for queue in queues)).subquery()
    return select(parts.c.id).limit(bindparam("most"))
