"""Versions of mappings: by content hash, immutable, complete without the folder."""

from dataclasses import dataclass

from hub import clock
from hub.desk import NotFound
from hub.mapping.catalog import Catalog, Sources
from hub.store import Connection, mappings


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
