"""Running one seed: hub processes, receivers, traffic and faults; then calm, and the checker."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from sqlalchemy import create_engine, text

from hub.chaos import deployment
from hub.chaos.checking import Accepted, check, restless
from hub.chaos.nursery import Nursery, alive
from hub.chaos.plan import LASTS, Plan, Push, draw
from hub.chaos.postgres import Postgres
from hub.chaos.receivers import Receivers
from hub.processes import free_port, release_port
from hub.store import Store

CALM_WITHIN = 200.0
"""Seconds after the last fault within which nothing may wait any more. Real time judges the machine too, so this only
guards against what never ends: the simulation judges how long something waits."""
STOPS_WITHIN = 100.0
"""The same for a process that was told to stop."""


@dataclass(slots=True)
class Outcome:
    """What became of a seed. It passed where `broken` is empty."""

    seed: int
    broken: list[str] = field(default_factory=list)
    accepted: int = 0
    kills: int = 0
    seconds: float = 0.0


class Ground:
    """What all seeds of a run stand on: the nursery, an empty store to copy, and PostgreSQL where it is wanted."""

    def __init__(self, folder: Path, postgresql: bool) -> None:
        self.folder, self.nursery, self.server = folder, Nursery(), None
        self._template = folder / "empty.db"
        if postgresql:
            from hub.chaos.postgres import HOW_TO_INSTALL, postgres_programs

            programs = postgres_programs()
            if programs is None:
                raise RuntimeError(HOW_TO_INSTALL)
            self.server = Postgres(programs)
            self.server.start()
            self.server.template("chaos_empty", _prepare)
        else:
            _prepare(f"sqlite:///{self._template}")

    def store(self, folder: Path) -> str:
        """A fresh store; its address."""
        if self.server is not None:
            return self.server.url(self.server.create("chaos_empty"))
        shutil.copy(self._template, folder / "hub.db")
        return f"sqlite:///{folder}/hub.db"

    def close(self) -> None:
        """End everything."""
        self.nursery.close()
        if self.server is not None:
            self.server.stop()


def _prepare(url: str) -> None:
    store = Store(url)
    store.prepare()
    store.close()


def run(ground: Ground, seed: int) -> Outcome:
    """Run one seed in a folder of its own; the folder stays where it failed."""
    folder = ground.folder / f"seed-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    outcome = asyncio.run(_Seed(ground, draw(seed, postgresql=ground.server is not None), folder).run())
    outcome.seconds = time.monotonic() - began
    if not outcome.broken:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


class _Seed:
    def __init__(self, ground: Ground, plan: Plan, folder: Path) -> None:
        self.ground, self.plan, self.folder = ground, plan, folder
        self.outcome = Outcome(plan.seed)
        self.port, self.url = free_port(), ground.store(folder)
        self.config = folder / "hub.toml"
        self.roles = ["serve", "work", "work"] if ground.server is not None else ["run"]
        self.pids: dict[int, int] = {}  # place in `roles` -> pid
        self.left = list(plan.processes)
        self.accepted: list[Accepted] = []
        self.over = False

    async def run(self) -> Outcome:
        receivers = Receivers(self.plan.seed, self.plan.spells)
        async with _serving(receivers.app()) as base:
            self.config.write_text(deployment.real(self.url, self.port, base), encoding="utf-8")
            supervisor = asyncio.create_task(self._supervise())
            try:
                receivers.began = time.monotonic()
                async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
                    trouble = [self._kill(at) for at in self.plan.kills]
                    trouble += [self._outside(at, what, seconds) for at, what, seconds in self.plan.outside]
                    pushes = [self._push(http, push) for push in self.plan.pushes]
                    await asyncio.gather(*trouble, *pushes, asyncio.sleep(LASTS))
                    receivers.well, self.left = True, []
                    await self._calm()
            finally:
                self.over = True
                await supervisor
                await self._stop()
                release_port(self.port)
            await asyncio.to_thread(self._check, receivers)
        return self.outcome

    async def _supervise(self) -> None:
        """Start what is not there, as systemd would."""
        while not self.over:
            for place, role in enumerate(self.roles):
                pid = self.pids.get(place)
                if pid is not None and alive(pid):
                    continue
                self.outcome.kills += pid is not None
                faults = self.left.pop(0).real() if self.left else {}
                self.pids[place] = self.ground.nursery.start(self.config, role, self.folder / "hub.log", faults)
            await asyncio.sleep(0.1)

    async def _push(self, http: aiohttp.ClientSession, push: Push) -> None:
        """As a platform does: again and again until it is taken."""
        await asyncio.sleep(push.at)
        raw = json.dumps(push.record, ensure_ascii=False).encode()
        headers = {"x-signature": hmac.new(deployment.SECRET.encode(), raw, hashlib.sha256).hexdigest()}
        deadline = time.monotonic() + CALM_WITHIN
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.post(f"http://127.0.0.1:{self.port}/hooks/site", data=raw, headers=headers) as answer:
                    if answer.status == 200:
                        self.accepted.append(Accepted.of(push.record))
                        return
                    if answer.status < 500 and answer.status != 429:
                        self.outcome.broken.append(f"a push was answered {answer.status}: {await answer.text()}")
                        return
            await asyncio.sleep(0.15)
        self.outcome.broken.append(f"a push was never accepted: {Accepted.of(push.record)}")

    async def _kill(self, at: float) -> None:
        await asyncio.sleep(at)
        for pid in list(self.pids.values())[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def _outside(self, at: float, what: str, seconds: float) -> None:
        await asyncio.sleep(at)
        if what == "lock":
            await asyncio.to_thread(self._hold_lock, seconds)
        elif self.ground.server is not None:
            self.ground.server.kill()
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.ground.server.start)

    def _hold_lock(self, seconds: float) -> None:
        """Somebody else writes, and takes their time."""
        engine = create_engine(self.url)
        with contextlib.suppress(Exception), engine.connect() as connection:
            if self.ground.server is None:
                connection.exec_driver_sql("begin immediate")
            else:
                connection.execute(text("lock table deliveries in exclusive mode"))
            time.sleep(seconds)
        engine.dispose()

    async def _calm(self) -> None:
        deadline = time.monotonic() + CALM_WITHIN
        found = ["nothing could be asked"]
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # the database may only just have come back
                found = await asyncio.to_thread(self._in_store, restless)
                if not found:
                    return
            await asyncio.sleep(0.2)
        self.outcome.broken += [f"still moving {CALM_WITHIN:.0f} s after the last fault: {what}" for what in found]

    async def _stop(self) -> None:
        """SIGTERM; a process that does not end in time is a fault of its own."""
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOPS_WITHIN
        while any(alive(pid) for pid in self.pids.values()):
            if time.monotonic() > deadline:
                self.outcome.broken.append(f"a process did not stop within {STOPS_WITHIN:.0f} s of SIGTERM")
                for pid in self.pids.values():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                return
            await asyncio.sleep(0.05)

    def _check(self, receivers: Receivers) -> None:
        self.outcome.accepted = len(self.accepted)
        self.outcome.broken += self._in_store(lambda connection: check(connection, self.accepted, receivers.books))
        said = (self.folder / "hub.log").read_text("utf-8", "replace")
        if "Traceback" in said and not self.plan.outside and not any(p.disk_full for p in self.plan.processes):
            self.outcome.broken.append("a traceback in the log: " + said[said.index("Traceback") :][:400])

    def _in_store(self, ask: Callable[..., list[str]]) -> list[str]:
        store = Store(self.url)
        try:
            with store.look() as connection:
                return ask(connection)
        finally:
            store.close()


@asynccontextmanager
async def _serving(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
