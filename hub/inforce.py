"""Which mappings are in force in this process: the files as they lie on disk, and the versions that somebody activated.

Both may change while the hub runs. What cannot be loaded is told, and what was in force stays.
"""

from canonical.errors import ConfigError
from hub.mapping.catalog import Catalog
from hub.mapping.watch import Watch
from hub.store import Store, mappings


class InForce:
    """Keeps one catalog on what is in force. Cheap to ask before every batch: one number from the store, and the names
    and times of the files."""

    def __init__(self, catalog: Catalog, store: Store) -> None:
        self._catalog, self._store = catalog, store
        self._watch = Watch(catalog)
        self._newest = -1
        self._told: list[str] = []

    def refresh(self) -> list[str]:
        """Take up what changed. Returns the problems for which the old state stays in force."""
        return [*self._follow_store(), *self._watch.refresh()]

    def _follow_store(self) -> list[str]:
        with self._store.look() as connection:
            newest = mappings.newest_activation(connection)
            if newest == self._newest:
                return []
            pins = mappings.pins(connection)
        if pins != self._catalog.pins:
            try:
                self._catalog.repin(pins)
            except ConfigError as error:
                # asked again at the next batch: a file may be mended meanwhile; told once
                told, self._told = self._told, error.problems
                return error.problems if error.problems != told else []
        self._newest, self._told = newest, []
        return []
