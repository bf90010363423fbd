"""All mappings of a deployment: the folder that IT mounts, read, checked and compiled as a whole."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from canonical.errors import ConfigError
from hub.mapping.reading import Reading
from hub.mapping.rendering import Rendering
from hub.mapping.rows import MappingFile, is_row
from hub.mapping.source import Table, Unreadable, merge, read
from hub.mapping.translation import Compiled, Translator


class _Files(NamedTuple):
    """What a folder holds: raw files by full name, shared tables by name, each table with its file."""

    raw: dict[str, Table]
    tables: dict[str, tuple[Table, str]]


class Catalog:
    """The mappings of a folder, in force since the last good `load`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._channels: dict[str, Compiled] = {}
        self._destinations: dict[str, Rendering] = {}
        self._translators: dict[tuple[str, str, str], Translator] = {}

    def load(self) -> None:
        """Read everything anew. Raises ConfigError with every problem of every file, and keeps what was in force."""
        channels, destinations, problems = self._read()
        if problems:
            raise ConfigError(problems)
        self._channels, self._destinations, self._translators = channels, destinations, {}

    def load_what_can_be(self) -> list[str]:
        """Take the files without problems and return the problems of the others: for authors at work."""
        self._channels, self._destinations, problems = self._read()
        self._translators = {}
        return problems

    def names(self) -> list[str]:
        """Full names of all mappings: channels/taobao/order, destinations/kingdee/order ..."""
        return sorted([f"channels/{n}" for n in self._channels] + [f"destinations/{n}" for n in self._destinations])

    def channel(self, code: str, kind: str, overlay: str = "") -> Translator:
        """The translator of a channel's records of one kind.

        `overlay` is a shop's own mapping: "taobao/outlet", or "outlet" for one in the channel's folder (a kind may
        follow: outlet-refund), or the name of a folder of its own ("my-site" for a generic channel). For a kind that
        it does not change, the channel's own holds. Raises ConfigError where there is none.
        """
        known = self._translators
        if (code, kind, overlay) not in known:
            known[code, kind, overlay] = self._translator(code, kind, overlay)
        return known[code, kind, overlay]

    def _translator(self, code: str, kind: str, overlay: str) -> Translator:
        own = [c for c in self._of(code, kind) if not self._is_overlay(c.mapping)]
        if overlay and "/" not in overlay and self._of(overlay) and f"{code}/{overlay}" not in self._channels:
            own = [c for c in self._of(overlay, kind) if not self._is_overlay(c.mapping)] or own
            overlay = ""
        chosen = self._overlays(code, overlay, kind) if overlay else []
        replaced = {c.mapping.extends for c in chosen}
        variants = [c for c in own if c.mapping.name not in replaced] + chosen
        if not variants:
            have = ", ".join(sorted({c.mapping.kind for c in self._of(code)})) or "none"
            raise ConfigError([f"mappings/channels/{code}: no mapping for {kind!r}; there are: {have}"])
        return Translator(_in_order(variants))

    def destination(self, name: str, kind: str = "order") -> Rendering:
        """A destination's mapping: "kingdee/order", or "kingdee" and the kind. Raises ConfigError."""
        full = name if "/" in name else f"{name}/{kind}"
        if full in self._destinations:
            return self._destinations[full]
        same = [r for n, r in self._destinations.items() if n.startswith(f"{name}/") and r.kind == kind]
        if len(same) == 1:
            return same[0]
        near = difflib.get_close_matches(full, self._destinations, 1)
        known = ", ".join(sorted(self._destinations)) or "none"
        hint = f", did you mean {near[0]}?" if near else f"; there are: {known}"
        raise ConfigError([f"no destination mapping {full!r}{hint}"])

    def mapping(self, full_name: str) -> MappingFile:
        """One mapping by its full name. Raises KeyError."""
        way, _, name = full_name.partition("/")
        return self._channels[name].mapping if way == "channels" else self._destinations[name].mapping

    def _of(self, code: str, kind: str = "") -> list[Compiled]:
        found = [c for n, c in sorted(self._channels.items()) if n.startswith(f"{code}/")]
        return [c for c in found if not kind or c.mapping.kind == kind]

    def _is_overlay(self, mapping: MappingFile) -> bool:
        folder = mapping.name.rpartition("/")[0]
        return mapping.extends.startswith(f"{folder}/") and not mapping.own_accepts

    def _overlays(self, code: str, overlay: str, kind: str) -> list[Compiled]:
        full = overlay if "/" in overlay else f"{code}/{overlay}"
        named = [self._channels[n] for n in (full, f"{full}-{kind}") if n in self._channels]
        if not named and not any(n.startswith(f"{full}-") for n in self._channels):
            near = difflib.get_close_matches(full, self._channels, 1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise ConfigError([f"no mapping {full!r}{hint}"])
        return [c for c in named if c.mapping.kind == kind]

    def _read(self) -> tuple[dict[str, Compiled], dict[str, Rendering], list[str]]:
        problems: list[str] = []
        files = self._files(problems)
        channels: dict[str, Compiled] = {}
        destinations: dict[str, Rendering] = {}
        for full_name, own in files.raw.items():
            way, _, name = full_name.partition("/")
            raw = _merged(full_name, files.raw, problems)
            if raw is None:
                continue
            reading = Reading(raw, name, outward=way == "destinations", own=own, shared=files.tables)
            mapping = reading.mapping()
            problems.extend(p for p in reading.problems if p not in problems)
            if mapping is None or reading.problems:
                continue
            if way == "channels":
                channels[name] = Compiled(mapping)
            else:
                destinations[name] = Rendering(mapping)
        problems.extend(self._rivals(channels))
        return channels, destinations, problems

    def _files(self, problems: list[str]) -> _Files:
        files = _Files({}, {})
        if not self.folder.is_dir():
            problems.append(f"{self.folder}: the folder of mappings does not exist")
        for path in sorted(self.folder.glob("tables/*.toml")):
            table = self._table(path, problems)
            if table is not None:
                files.tables[path.stem] = (table, table.place.file)
        for way in ("channels", "destinations"):
            for path in sorted(self.folder.glob(f"{way}/*/*.toml")):
                table = self._table(path, problems)
                if table is not None:
                    files.raw[f"{way}/{path.parent.name}/{path.stem}"] = table
        return files

    def _table(self, path: Path, problems: list[str]) -> Table | None:
        try:
            return read(path, path.relative_to(self.folder.parent).as_posix())
        except Unreadable as error:
            problems.append(str(error))
            return None

    def _rivals(self, channels: dict[str, Compiled]) -> Iterator[str]:
        """Two files of one folder that both take every record of a kind: which of them counts is not said."""
        seen: dict[tuple[str, str], str] = {}
        for name, compiled in sorted(channels.items()):
            mapping = compiled.mapping
            if mapping.accepts is not None or self._is_overlay(mapping):
                continue
            place = (name.rpartition("/")[0], mapping.kind)
            if place in seen:
                rival = f"{seen[place]} takes every {mapping.kind} too; give one of the two `accepts`"
                yield mapping.raw.place.says(rival)
            seen.setdefault(place, mapping.file)


def _in_order(variants: list[Compiled]) -> list[Compiled]:
    return sorted(variants, key=lambda c: (c.mapping.accepts is None, c.mapping.name))


def _merged(full_name: str, raw: dict[str, Table], problems: list[str], seen: tuple[str, ...] = ()) -> Table | None:
    """A file laid on the files that it extends."""
    table = raw[full_name]
    parent = table.get("extends")
    if not isinstance(parent, str):
        return table
    way = full_name.partition("/")[0]
    full_parent = f"{way}/{parent}"
    if full_name in seen:
        problems.append(table.at("extends").says(f"extends itself in a circle: {' -> '.join((*seen, full_name))}"))
        return None
    if full_parent not in raw:
        near = difflib.get_close_matches(full_parent, raw, 1)
        hint = f", did you mean {near[0].partition('/')[2]}?" if near else ""
        problems.append(table.at("extends").says(f"there is no mapping {parent!r}{hint}"))
        return None
    base = _merged(full_parent, raw, problems, (*seen, full_name))
    if base is None:
        return None
    result = merge(base, table, is_row)
    if isinstance(base.get("tables"), Table) and isinstance(table.get("tables"), Table):
        result["tables"] = merge(base["tables"], table["tables"], lambda _: False)
    return result
