"""What a support agent does in the middle of it: the same acts as on the command line, in transactions of their own."""

import contextvars
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from canonical.errors import HubError
from dlq import shelf
from hub import desk, erasure, replaying, tending
from hub.chaos.plan import RECEIVERS, Act
from hub.chaos.simulation.process import Simulated
from hub.host import HOST
from hub.store import Connection, Store, state
from hub.store.tables import documents, pulls

if TYPE_CHECKING:
    from hub.chaos.simulation.world import World

NAME = "support"
RAMP = (10, 50, 100)


class Person:
    """One agent, who looks before acting: where a receiver cannot be asked, its book is."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = random.Random(f"{world.plan.seed}/person")  # noqa: S311  # repeatable, not secret
        self.host = Simulated(world, NAME)
        self.discarded: set[str] = set()
        self.erased: set[str] = set()
        """Orders that need not arrive any more, and why."""

    def does(self, act: Act) -> None:
        """Do one thing, if it can be done now."""
        acts: dict[Act, Callable[[Connection], object]] = {
            Act.REPLAY: self._replay,
            Act.REPLAY_JOB: self._replay_job,
            Act.EDIT: self._edit,
            Act.DISCARD: self._discard,
            Act.PAUSE: lambda connection: desk.pause(connection, self._dice.choice(RECEIVERS), NAME, "to see"),
            Act.RESUME: self.resume,
            Act.FORCE_BREAKER: lambda connection: desk.force_breaker(
                connection, self._dice.choice(RECEIVERS), self._dice.choice(["open", "closed"]), NAME
            ),
            Act.ERASE: self._erase,
        }
        self.runs(acts[act], act)

    def runs(self, work: Callable[[Connection], object], what: str) -> None:
        """Run something in a transaction of the agent's."""
        context = contextvars.Context()
        context.run(HOST.set, self.host)
        try:
            done = context.run(self._in_transaction, work)
        except HubError as error:
            done = f"{error.code}: {error.message}"
        self._world.journal.note(NAME, what, done)

    def _in_transaction(self, work: Callable[[Connection], object]) -> object:
        store: Store = self._world.store
        store.take_up_keys()
        with store.begin() as connection:
            return work(connection)

    def resume(self, connection: Connection) -> None:
        """Let everything go again that is paused or forced."""
        for name in RECEIVERS:
            desk.resume(connection, name, NAME)
            for kind, circuit in state.circuits_of(state.destination(connection, name)).items():
                if circuit.forced:  # one that opened by itself must close by itself
                    desk.force_breaker(connection, name, "auto", NAME, kind)
        for row in connection.execute(select(pulls.c.shop, pulls.c.kind).where(pulls.c.paused != "")).all():
            desk.resume_pull(connection, row.shop, row.kind, NAME)

    def _letters(self, connection: Connection) -> list[dict[str, Any]]:
        return [row for row in reversed(shelf.find(connection, limit=1000)) if row["message_id"] is not None]

    def _settled(self, connection: Connection) -> list[int]:
        """Discard what took effect though nobody could tell; return the letters that may be replayed."""
        ready = []
        for letter in self._letters(connection):
            book = self._world.network.books.get(letter["destination"])
            arrived = book is not None and book.has(letter["key"], letter["revision"])
            if letter["cause"] == "delivery.in_doubt" and arrived:
                desk.discard(connection, [letter["id"]], NAME, "it is there")
            else:
                ready.append(letter["id"])
        return ready

    def _replay(self, connection: Connection) -> object:
        return desk.replay(connection, self._settled(connection), NAME)

    def _replay_job(self, connection: Connection) -> object:
        ids = self._settled(connection)
        if not ids:
            return "no letters"
        made = replaying.plan(connection, {"ids": ids}, NAME, ramp=RAMP, stop_at=1.0)
        replaying.start(connection, made["id"], NAME)
        return made["id"]

    def _edit(self, connection: Connection) -> object:
        letters = [row for row in self._letters(connection) if row["delivery_id"] is not None]
        letters = [row for row in letters if row["kind"] == "order" and row["cause"] != "delivery.in_doubt"]
        if not letters:
            return "no letters"
        letter = self._dice.choice(letters)
        _, _, document = tending.content(connection, letter["id"])
        wanted = tending.with_values(document, {"seller_note": f"edited {self._dice.randrange(100)}"})
        tending.edit(connection, letter["id"], wanted, NAME, expected=letter["edition"], why="to see")
        return desk.replay(connection, [letter["id"]], NAME)

    def _discard(self, connection: Connection) -> object:
        letters = self._letters(connection)
        if not letters:
            return "no letters"
        letter = self._dice.choice(letters)
        self.discarded.add(letter["subject"])
        return desk.discard(connection, [letter["id"]], NAME, "not wanted any more")

    def _erase(self, connection: Connection) -> object:
        columns = (documents.c.tenant, documents.c.shop, documents.c.subject)
        there = sorted({(r.tenant, r.shop, r.subject) for r in connection.execute(select(*columns))})
        if not there:
            return "no orders"
        wanted = self._dice.choice(there)
        done = erasure.erase(connection, {"phone": "13912345678"}, [wanted], NAME, force=False)
        self.erased.add(wanted[2])
        return done
