"""All mappings of a deployment: the folder that IT mounts, read, checked and compiled as a whole."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from canonical.errors import ConfigError
from hub.mapping.reading import Reading
from hub.mapping.rendering import Rendering
from hub.mapping.rows import MappingFile, is_row
from hub.mapping.source import Table, Unreadable, merge, parse
from hub.mapping.translation import Compiled, Translator

Sources = Mapping[str, str]
"""Path below the folder of mappings -> text: all that a mapping is made of."""
_PATTERNS = ("tables/*.toml", "channels/*/*.toml", "destinations/*/*.toml")


@dataclass(slots=True)
class _Files:
    """Texts as tables: raw files by full name; shared tables by name, each with its file."""

    raw: dict[str, Table] = field(default_factory=dict)
    tables: dict[str, tuple[Table, str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Made:
    """What a load made of texts. `used`: full name -> paths of the shared tables that a mapping uses."""

    texts: dict[str, str] = field(default_factory=dict)
    channels: dict[str, Compiled] = field(default_factory=dict)
    destinations: dict[str, Rendering] = field(default_factory=dict)
    used: dict[str, list[str]] = field(default_factory=dict)
    translators: dict[tuple[str, str, str], Translator] = field(default_factory=dict)


class Catalog:
    """The mappings of a folder, in force since the last good `load`.

    `pins` are sources that hold for a mapping (by its full name) instead of the files on disk. What extends a pinned
    mapping is laid on the pinned one.
    """

    def __init__(self, folder: Path, pins: Mapping[str, Sources] | None = None) -> None:
        self.folder = folder
        self.pins: dict[str, Sources] = dict(pins or {})
        self._made = _Made()

    def load(self) -> None:
        """Read everything anew. Raises ConfigError with every problem of every file, and keeps what was in force."""
        problems: list[str] = []
        made = self._make(self._disk(problems), problems)
        if problems:
            raise ConfigError(problems)
        self._made = made

    def load_what_can_be(self) -> list[str]:
        """Take the files without problems and return the problems of the others: for authors at work."""
        problems: list[str] = []
        self._made = self._make(self._disk(problems), problems)
        return problems

    def repin(self, pins: Mapping[str, Sources]) -> None:
        """Let other pins hold, over the files that are in force. Raises ConfigError, and keeps what was in force."""
        copy = Catalog(self.folder, pins)
        problems: list[str] = []
        made = copy._make(self._made.texts, problems)
        if problems:
            raise ConfigError(problems)
        self.pins, self._made = copy.pins, made

    def with_(self, full_name: str, sources: Sources) -> "Catalog":
        """A copy of what is in force, in which this one mapping is made of these sources. Raises ConfigError."""
        copy = Catalog(self.folder, {**self.pins, full_name: sources})
        problems: list[str] = []
        copy._made = copy._make(self._made.texts, problems)
        if problems:
            raise ConfigError(problems)
        return copy

    def sources(self, full_name: str) -> dict[str, str]:
        """All texts of which a mapping is made: its own, those that it extends, its shared tables. Raises KeyError."""
        texts = self._made.texts
        tables = {path: texts[path] for path in self._made.used[full_name] if path in texts}
        if full_name in self.pins:
            return {**tables, **self.pins[full_name]}
        own = f"{full_name}.toml"
        found = {own: texts[own], **tables}
        extends = self.mapping(full_name).extends
        if extends:
            inherited = self.sources(f"{full_name.partition('/')[0]}/{extends}")
            found |= {path: text for path, text in inherited.items() if not path.startswith("tables/")}
        return found

    def names(self) -> list[str]:
        """Full names of all mappings: channels/taobao/order, destinations/kingdee/order ..."""
        return sorted(
            [f"channels/{n}" for n in self._made.channels] + [f"destinations/{n}" for n in self._made.destinations]
        )

    def channel(self, code: str, kind: str, overlay: str = "") -> Translator:
        """The translator of a channel's records of one kind.

        `overlay` is a shop's own mapping: "taobao/outlet", or "outlet" for one in the channel's folder (a kind may
        follow: outlet-refund), or the name of a folder of its own ("my-site" for a generic channel). For a kind that
        it does not change, the channel's own holds. Raises ConfigError where there is none.
        """
        known = self._made.translators
        if (code, kind, overlay) not in known:
            known[code, kind, overlay] = self._translator(code, kind, overlay)
        return known[code, kind, overlay]

    def _translator(self, code: str, kind: str, overlay: str) -> Translator:
        own = [c for c in self._of(code, kind) if not _is_overlay(c.mapping)]
        if overlay and "/" not in overlay and self._of(overlay) and f"{code}/{overlay}" not in self._made.channels:
            own = [c for c in self._of(overlay, kind) if not _is_overlay(c.mapping)] or own
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
        if full in self._made.destinations:
            return self._made.destinations[full]
        same = [r for n, r in self._made.destinations.items() if n.startswith(f"{name}/") and r.kind == kind]
        if len(same) == 1:
            return same[0]
        near = difflib.get_close_matches(full, self._made.destinations, 1)
        known = ", ".join(sorted(self._made.destinations)) or "none"
        hint = f", did you mean {near[0]}?" if near else f"; there are: {known}"
        raise ConfigError([f"no destination mapping {full!r}{hint}"])

    def mapping(self, full_name: str) -> MappingFile:
        """One mapping by its full name. Raises KeyError."""
        way, _, name = full_name.partition("/")
        return self._made.channels[name].mapping if way == "channels" else self._made.destinations[name].mapping

    def _of(self, code: str, kind: str = "") -> list[Compiled]:
        found = [c for n, c in sorted(self._made.channels.items()) if n.startswith(f"{code}/")]
        return [c for c in found if not kind or c.mapping.kind == kind]

    def _overlays(self, code: str, overlay: str, kind: str) -> list[Compiled]:
        full = overlay if "/" in overlay else f"{code}/{overlay}"
        named = [self._made.channels[n] for n in (full, f"{full}-{kind}") if n in self._made.channels]
        if not named and not any(n.startswith(f"{full}-") for n in self._made.channels):
            near = difflib.get_close_matches(full, self._made.channels, 1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise ConfigError([f"no mapping {full!r}{hint}"])
        return [c for c in named if c.mapping.kind == kind]

    def _disk(self, problems: list[str]) -> dict[str, str]:
        texts = {}
        if not self.folder.is_dir():
            problems.append(f"{self.folder}: the folder of mappings does not exist")
        for path in (path for pattern in _PATTERNS for path in sorted(self.folder.glob(pattern))):
            name = path.relative_to(self.folder).as_posix()
            try:
                texts[name] = path.read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{self.folder.name}/{name}:1: cannot be read: {error}")
        return texts

    def _make(self, texts: Mapping[str, str], problems: list[str]) -> _Made:
        """Everything compiled that can be."""
        pins = tuple((name, tuple(sources.items())) for name, sources in self.pins.items())
        made, told = _compiled(self.folder.name, tuple(texts.items()), pins)
        problems.extend(told)
        return made


@lru_cache(maxsize=4)
def _compiled(
    folder: str, texts: tuple[tuple[str, str], ...], pins: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
) -> tuple[_Made, tuple[str, ...]]:
    """What these texts are, compiled, and all that is wrong with them. Nothing else decides about it, so that the texts
    that a process was at lately are not compiled again."""
    making = _Making(folder, dict(texts), {name: dict(sources) for name, sources in pins})
    return making.made, tuple(making.problems)


class _Making:
    """One compilation of a folder's texts, in which `pins` hold for some mappings."""

    def __init__(self, folder: str, texts: dict[str, str], pins: Mapping[str, Sources]) -> None:
        self.folder, self.problems, self.made = folder, list[str](), _Made(texts)
        self._read: dict[tuple[str, str], Table | None] = {}
        # the file of a pinned mapping does not count: not even what is wrong with it
        disk = self._files({p: t for p, t in texts.items() if p.removesuffix(".toml") not in pins})
        merged = dict[str, Table]()
        pinned = {name: self._files({**texts, **sources}) for name, sources in pins.items()}
        for name, files in pinned.items():
            if name in files.raw and (table := _merged(name, files.raw, {}, self.problems)) is not None:
                merged[name] = table
        for name in {**disk.raw, **merged}:
            files = pinned.get(name, disk)
            raw = _merged(name, disk.raw, merged, self.problems)
            if raw is not None and name in files.raw:
                _compile(self.made, name, raw, files, self.problems)
        self.problems.extend(_rivals(self.made.channels))

    def _files(self, texts: Mapping[str, str]) -> _Files:
        files = _Files()
        for path, text in texts.items():
            if (path, text) not in self._read:
                try:
                    self._read[path, text] = parse(text, f"{self.folder}/{path}")
                except Unreadable as error:
                    self.problems.append(str(error))
                    self._read[path, text] = None
            table, name = self._read[path, text], path.removesuffix(".toml")
            if table is None:
                continue
            if path.startswith("tables/"):
                files.tables[name.partition("/")[2]] = (table, table.place.file)
            else:
                files.raw[name] = table
        return files


def _rivals(channels: dict[str, Compiled]) -> Iterator[str]:
    """Two files of one folder that both take every record of a kind: which of them counts is not said."""
    seen: dict[tuple[str, str], str] = {}
    for name, compiled in sorted(channels.items()):
        mapping = compiled.mapping
        if mapping.accepts is not None or _is_overlay(mapping):
            continue
        place = (name.rpartition("/")[0], mapping.kind)
        if place in seen:
            rival = f"{seen[place]} takes every {mapping.kind} too; give one of the two `accepts`"
            yield mapping.raw.place.says(rival)
        seen.setdefault(place, mapping.file)


def _is_overlay(mapping: MappingFile) -> bool:
    folder = mapping.name.rpartition("/")[0]
    return mapping.extends.startswith(f"{folder}/") and not mapping.own_accepts


def _in_order(variants: list[Compiled]) -> list[Compiled]:
    return sorted(variants, key=lambda c: (c.mapping.accepts is None, c.mapping.name))


def _compile(made: _Made, full_name: str, raw: Table, files: _Files, problems: list[str]) -> None:
    way, _, name = full_name.partition("/")
    reading = Reading(raw, name, outward=way == "destinations", own=files.raw[full_name], shared=files.tables)
    mapping = reading.mapping()
    problems.extend(p for p in reading.problems if p not in problems)
    if mapping is None or reading.problems:
        return
    used = (table.place.file.partition("/")[2] for table in reading.grammar.used_tables.values())
    made.used[full_name] = sorted({path for path in used if path.startswith("tables/")})
    if way == "channels":
        made.channels[name] = Compiled(mapping)
    else:
        made.destinations[name] = Rendering(mapping)


def _merged(
    full_name: str,
    raw: Mapping[str, Table],
    done: Mapping[str, Table],
    problems: list[str],
    seen: tuple[str, ...] = (),
) -> Table | None:
    """A file laid on the files that it extends; `done` are those that are so already."""
    if full_name in done:
        return done[full_name]
    table = raw[full_name]
    parent = table.get("extends")
    if not isinstance(parent, str):
        return table
    way = full_name.partition("/")[0]
    full_parent = f"{way}/{parent}"
    if full_name in seen:
        problems.append(table.at("extends").says(f"extends itself in a circle: {' -> '.join((*seen, full_name))}"))
        return None
    if full_parent not in raw and full_parent not in done:
        near = difflib.get_close_matches(full_parent, raw, 1)
        hint = f", did you mean {near[0].partition('/')[2]}?" if near else ""
        problems.append(table.at("extends").says(f"there is no mapping {parent!r}{hint}"))
        return None
    base = _merged(full_parent, raw, done, problems, (*seen, full_name))
    if base is None:
        return None
    result = merge(base, table, is_row)
    if isinstance(base.get("tables"), Table) and isinstance(table.get("tables"), Table):
        result["tables"] = merge(base["tables"], table["tables"], lambda _: False)
    return result
