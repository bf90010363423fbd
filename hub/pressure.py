"""Whether the hub should take more: a full disk or a backlog beyond what is configured slows the senders down.

Platforms that push are answered 429 with Retry-After, and push again later; pulls pause. Nothing that was accepted is
touched, and what is in the store goes on being delivered.
"""

import structlog

from hub import clock
from hub.config import Config
from hub.host import HOST
from hub.store import Store, gauges

log = structlog.get_logger("hub.pressure")

LOOKS_EVERY = 2.0
RETRY_AFTER = 30
"""Seconds after which a sender may try again."""


class Pressure:
    """Looks now and then; `reason` is empty while there is room."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config, self._store = config, store
        self._disk = store.folder
        self._looked = 0.0
        self.reason = ""

    async def full(self) -> str:
        """Why nothing more should be taken now; "" where there is room."""
        now = clock.tick()
        if now - self._looked > LOOKS_EVERY:
            self._looked = now
            await self._look()
        return self.reason

    async def _look(self) -> None:
        section, before = self._config.hub, self.reason
        backlog = await self._store.read(gauges.unfinished, section.backlog + 1)
        free = HOST.get().free_disk(self._disk) if self._disk is not None else section.disk_free
        self.reason = ""
        if free < section.disk_free:
            self.reason = f"only {free >> 20} MiB are free on the store's disk (hub.disk_free)"
        elif backlog > section.backlog:
            self.reason = f"more than {section.backlog} messages and deliveries are unfinished (hub.backlog)"
        if self.reason and not before:
            log.warning("intake.slowed", why=self.reason)
        elif before and not self.reason:
            log.info("intake.open_again")
