"""Noticing that mapping files changed on disk, so that the mapping in force is the one that lies there."""

from canonical.errors import ConfigError
from hub.mapping.catalog import Catalog


class Watch:
    """Over one catalog. Cheap to ask before every batch: it looks at names and times of the files only."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._seen = self._stamp()

    def refresh(self) -> list[str]:
        """Load the folder anew if a file in it changed. Returns the problems for which the old state stays in force."""
        stamp = self._stamp()
        if stamp == self._seen:
            return []
        self._seen = stamp
        try:
            self._catalog.load()
        except ConfigError as error:
            return error.problems
        return []

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        found = []
        for path in self._catalog.folder.rglob("*.toml"):
            try:
                facts = path.stat()
            except FileNotFoundError:  # an editor is just replacing it
                continue
            found.append((str(path), facts.st_mtime_ns, facts.st_size))
        return tuple(sorted(found))
