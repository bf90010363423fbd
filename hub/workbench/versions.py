"""Versions of mappings: by content hash, immutable, complete without the folder; and which of them is in force.

A mapping follows its file until somebody activates a version: that is kept in the store, with everything that it is
made of, and holds whatever becomes of the file, until another one is activated or the file is followed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canonical.errors import ConfigError
from hub import clock, desk
from hub.config import Config
from hub.desk import NotFound, NotNow
from hub.mapping.cases import run_cases
from hub.mapping.catalog import Catalog, Sources
from hub.receiving import ShopFront
from hub.store import Connection, Store, audit, mappings
from hub.store import history as seen
from hub.workbench import history

FOLLOWED = ""
"""The version of an activation by which the file is followed again."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a mapping. `sources`: path below the folder of mappings -> text, all that it is made of."""

    name: str
    version: str
    sources: dict[str, str]
    origin: str = "file"
    created_at: float | None = None
    created_by: str = ""
    why: str = ""


def find(connection: Connection, catalog: Catalog, name: str, version: str) -> Version:
    """A version of a mapping (by its full name): a hash, the beginning of one, or a word.

    "file": as it lies on disk now. "active": in force. "previous": in force before that. Raises NotFound with what
    there is, ConfigError where the file on disk has problems.
    """
    if version == "file":
        return _on_disk(catalog, name)
    put = [row["version"] for row in mappings.activations(connection, name)]
    if version == "active":
        return _stored(connection, name, put[0]) if put and put[0] else _on_disk(catalog, name)
    if version == "previous":
        before = next((v for v in put[1:] if v and v != put[0]), "")
        if not before:
            raise NotFound(f"{name} has no version before the one in force", hint=f"hub mapping versions {name}")
        return _stored(connection, name, before)
    known = [row["version"] for row in mappings.versions(connection, name)]
    wanted = version.rpartition("@")[2]
    fits = [v for v in known if v.rpartition("@")[2].startswith(wanted)]
    if len(fits) == 1:
        return _stored(connection, name, fits[0])
    on_disk = _on_disk(catalog, name)
    if not fits and on_disk.version.rpartition("@")[2].startswith(wanted):
        return on_disk
    there_are = ", ".join([*(v.rpartition("@")[2] for v in fits or known), "file", "active"])
    what = "several versions" if fits else "no version"
    raise NotFound(f"{name} has {what} {version!r}; there are: {there_are}", hint=f"hub mapping versions {name}")


def propose(
    connection: Connection,
    catalog: Catalog,
    name: str,
    sources: Sources,
    actor: str,
    *,
    origin: str = "file",
    based_on: str = "",
    why: str = "",
) -> Version:
    """Keep a version, checked. The same content is the same version. Raises ConfigError with all its problems."""
    version = catalog.with_(name, sources).mapping(name).version
    now = clock.now().timestamp()
    told = {"origin": origin, "based_on": based_on, "created_at": now, "created_by": actor, "why": why}
    mappings.add(connection, name, version, dict(sources), **told)
    return _stored(connection, name, version)


def _on_disk(catalog: Catalog, name: str) -> Version:
    disk = Catalog(catalog.folder)
    disk.load()
    if name not in disk.names():
        raise NotFound(f"there is no mapping {name} in {catalog.folder}", hint="hub mapping list")
    return Version(name, disk.mapping(name).version, disk.sources(name))


def _stored(connection: Connection, name: str, version: str) -> Version:
    row = mappings.version(connection, name, version)
    if row is None:
        raise NotFound(f"{name} has no version {version!r}", hint=f"hub mapping versions {name}")
    told = {key: row[key] for key in ("origin", "created_at", "created_by", "why")}
    return Version(name, version, row["sources"], **told)


# ---------------------------------------------------------------- putting a version in force


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version that somebody wants in force, and what is known about it.

    `current` is the version in force, `sequence` the number of the activation that put it there (0: none did).
    `settled`: it is in force already, and stays so. `unseen`: there is history, and nobody has looked at what the
    version would change of it.
    """

    version: Version
    current: str
    sequence: int
    follow: bool = False
    settled: bool = False
    failed_cases: list[str] = field(default_factory=list)
    cases: int = 0
    unseen: bool = False

    @property
    def doubts(self) -> list[str]:
        """Why it should not go into force yet."""
        told = []
        if self.failed_cases:
            listed = ", ".join(self.failed_cases[:5]) + (" ..." if len(self.failed_cases) > 5 else "")
            told.append(f"{len(self.failed_cases)} of {self.cases} cases fail: {listed}")
        if self.unseen:
            told.append(f"nobody has seen what it changes: no diff of {self.current} and {self.version.version}")
        return told


@dataclass(frozen=True, slots=True)
class Activation:
    """What is in force since when, by whom and why. `version` is "" where the file is followed."""

    name: str
    version: str
    sequence: int
    at: float
    actor: str
    why: str
    forced: bool


class NotReady(NotNow):
    """A version that should be looked at before it goes into force."""

    code = "mapping.not_ready"
    hint = "hub mapping test NAME, hub mapping diff NAME; or --force with --why, which the audit log keeps."


def candidate(
    store: Store,
    catalog: Catalog,
    shops: Mapping[str, ShopFront],
    config: Config,
    version: Version,
    *,
    follow: bool = False,
    back: bool = False,
) -> Candidate:
    """Look at a version before it goes into force: its cases, and whether its diff was seen. Takes no lock.

    `back`: it was in force before, so neither its cases nor its diff are asked for.
    Raises ConfigError with all problems of a version that does not load.
    """
    name = version.name
    with store.look() as connection:
        current, sequence = in_force(connection, catalog, name)
        last = mappings.activations(connection, name, 1)
        diffs = seen.diffs(connection, name, version.version, current)
    changed = catalog.with_(name, version.sources)
    # a case for what the newer version was made for would keep it in force
    results = [] if back else run_cases(changed, name)
    failed = [result.case for result in results if not result.passed]
    scope = history.scope_of(changed, name, shops, config)
    demanded = version.version != current and not back and not diffs
    unseen = demanded and next(history.stored(store, scope, last=1), None) is not None
    pinned = bool(last and last[0]["version"])
    settled = not pinned if follow else pinned and version.version == current
    return Candidate(version, current, sequence, follow, settled, failed, len(results), unseen)


def activate(
    connection: Connection, catalog: Catalog, chosen: Candidate, actor: str, *, why: str = "", force: bool = False
) -> Activation:
    """Put a version in force. Running processes take it within two seconds; what they have in hand ends on the old one.

    Raises NotReady where there are doubts about it (unless `force`, with a reason), NotNow where somebody else changed
    what is in force since the candidate was looked at. The audit log has who, what and why.
    """
    if force and not why.strip():
        raise NotNow("to force a version into force needs a reason", hint='add --why "..."')
    if chosen.doubts and not force:
        raise NotReady(f"{chosen.version.version}: {'; '.join(chosen.doubts)}")
    name, now = chosen.version.name, clock.now().timestamp()
    if not chosen.follow and chosen.version.created_at is None:
        propose(connection, catalog, name, chosen.version.sources, actor, origin=chosen.version.origin, why=why)
    version = FOLLOWED if chosen.follow else chosen.version.version
    forced = bool(chosen.doubts)
    if not mappings.activate(connection, name, version, chosen.sequence + 1, now, actor, why, forced=forced):
        [faster] = mappings.activations(connection, name, 1)
        what = faster["version"] or "the file"
        raise NotNow(
            f"{faster['actor']} was faster: since {desk.instant(faster['at'])} {what} is in force for {name}",
            hint=f"look at what that changed, then again: hub mapping versions {name}",
        )
    detail = f"{chosen.current} -> {version or f'the file, {chosen.version.version}'}"
    detail += f"; forced: {'; '.join(chosen.doubts)}" if forced else ""
    act = "mapping.followed" if chosen.follow else "mapping.activated"
    audit.write(connection, now, actor, act, name, f"{detail}; {why}" if why else detail)
    return Activation(name, version, chosen.sequence + 1, now, actor, why, forced)


def listing(connection: Connection, catalog: Catalog, name: str) -> dict[str, Any]:
    """What there is of a mapping: the version in force, the file's, and all that were kept, newest first.

    `differs`: a version is in force and the file says something else. `problems`: why the file does not load.
    """
    put = mappings.activations(connection, name)
    pinned = put[0]["version"] if put else FOLLOWED
    on_disk, problems = "", list[str]()
    try:
        on_disk = _on_disk(catalog, name).version
    except ConfigError as error:
        problems = error.problems
    except NotFound as error:
        problems = [error.message]
    rows = []
    for row in mappings.versions(connection, name):
        times = [a for a in put if a["version"] == row["version"]]
        state_ = "in force" if row["version"] == pinned else "was in force" if times else "kept"
        rows.append({**row, "state": state_, "activated_at": times[0]["at"] if times else None})
    return {
        "name": name,
        "in_force": pinned or on_disk,
        "follows_file": not pinned,
        "file": on_disk,
        "differs": bool(pinned) and pinned != on_disk,
        "problems": problems,
        "versions": rows,
        "activations": put,
    }


def in_force(connection: Connection, catalog: Catalog, name: str) -> tuple[str, int]:
    """The version in force (the one that was activated, else what this catalog holds), and the number of the activation
    that put it there."""
    put = mappings.activations(connection, name, 1)
    sequence = int(put[0]["sequence"]) if put else 0
    if put and put[0]["version"]:
        return str(put[0]["version"]), sequence
    return (catalog.mapping(name).version if name in catalog.names() else ""), sequence
