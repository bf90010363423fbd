"""Documents that a person edited while the outcome of their delivery was in doubt.

Such a delivery has two keys: that of what was sent, by which it is asked about, and `next_key`, of what shall be sent
instead. If what was sent arrived, it is delivered as it was and the edit is undone; if it did not, the edited document
goes out under its own key. The change of keys is on disk before anything is sent under the new one.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, update

from hub.store.outbox import DELIVERED, Outcome
from hub.store.tables import deliveries


def settle(connection: Connection, outcomes: Sequence[Outcome], arrived: Sequence[int]) -> None:
    """Deliveries with two keys after an attempt; `arrived` are those that are there as they were before the edit."""
    c = deliveries.c
    done = [o.id for o in outcomes if o.state == DELIVERED]
    settled = [o.id for o in outcomes if o.state != DELIVERED and not o.unsettled]
    renewed = {"idempotency_key": c.next_key, "next_key": ""}
    connection.execute(update(deliveries).where(c.id.in_(settled)).values(renewed))
    connection.execute(update(deliveries).where(c.id.in_(done)).values(next_key=""))
    connection.execute(update(deliveries).where(c.id.in_(list(arrived))).values(overlay=None))
