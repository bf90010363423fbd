"""Group commit: what comes at the same time goes to the disk together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hub import clock
from hub.store import StoreTrouble

SHARE = 4
"""Commits take at most one part in so many of the time, so that they grow with the load instead of in number."""


class Gatherer:
    """Group commit: what comes while a commit is under way, and for a while after it, goes into the next one.

    The while is as long as keeps commits to their SHARE of the time, `patience` seconds at most: on a machine that is
    idle or fast nothing waits, under load few commits carry much.
    """

    def __init__(self, commit: Callable[[list[Any]], Awaitable[Sequence[Any]]], most: int, patience: float) -> None:
        self._commit, self._most, self._patience = commit, most, patience
        self._items: list[tuple[Any, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None
        self._next = 0.0

    async def put(self, item: Any) -> Any:
        """Returns when the item is committed; raises what its commit raised."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._items.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._items:
            began = clock.tick()
            if began < self._next and len(self._items) < self._most:
                await asyncio.sleep(self._next - began)
                began = clock.tick()
            batch, self._items = self._items[: self._most], self._items[self._most :]
            await self._write(batch)
            ended = clock.tick()
            self._next = ended + min((SHARE - 1) * (ended - began), self._patience)

    async def _write(self, batch: Sequence[tuple[Any, asyncio.Future[Any]]]) -> None:
        """Commit a batch. One that cannot be written refuses itself alone: its neighbours are tried without it."""
        try:
            results = await self._commit([item for item, _ in batch])
        except Exception as error:  # every waiter learns that its item is not on disk
            if len(batch) > 1 and not isinstance(error, StoreTrouble):
                for one in batch:
                    await self._write([one])
                return
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), value in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(value)

    async def close(self) -> None:
        """Wait until all that was put is committed."""
        if self._task is not None:
            await self._task
