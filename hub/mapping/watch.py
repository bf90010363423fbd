"""Noticing that mapping files changed on disk, so that the mapping in force is the one that lies there."""

import contextlib
import os

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
        found: list[tuple[str, int, int]] = []
        folders = [str(self._catalog.folder)]
        while folders:  # not pathlib's rglob, which takes ten times as long
            with contextlib.suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.name.endswith(".toml"):
                        with contextlib.suppress(FileNotFoundError):  # an editor is just replacing it
                            facts = entry.stat()
                            found.append((entry.path, facts.st_mtime_ns, facts.st_size))
        return tuple(sorted(found))
