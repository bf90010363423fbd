"""Which folder of mappings a command means."""

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub.cli.output import USAGE, fail

if TYPE_CHECKING:
    from hub.mapping.catalog import Catalog
    from hub.store import Connection
    from hub.workbench.versions import Version

MappingsOption = typer.Option(None, "--mappings", help="Folder of mappings; default: hub.toml's, else the hub's own.")


def folder_of(config: Path, mappings: Path | None) -> Path:
    """The folder of --mappings, else hub.toml's, else the one that comes with the hub."""
    from hub import adapting
    from hub import config as configuration

    if mappings is None and config.exists():
        return adapting.mappings_folder(configuration.load(config))
    return mappings or adapting.mappings_folder()


def own_folder(config: Path, mappings: Path | None) -> Path:
    """The same folder, to write into. Secrets of hub.toml need not be set for that.

    Ends the command for the mappings of an installed hub, which its next update replaces.
    """
    from hub import adapting

    folder = mappings
    if folder is None and config.exists():
        try:
            named = tomllib.loads(config.read_text("utf-8")).get("hub", {}).get("mappings", "")
        except (tomllib.TOMLDecodeError, AttributeError):
            return folder_of(config, mappings)  # which tells what is wrong with it
        folder = config.parent / named if isinstance(named, str) and named else None
    if folder is None and is_shipped(adapting.mappings_folder()):
        hint = 'add mappings = "mappings" to [hub] in hub.toml, or say --mappings FOLDER'
        fail("there is no mappings folder of your own to write into", hint=hint, code=USAGE)
    return folder or adapting.mappings_folder()


def is_shipped(folder: Path) -> bool:
    """Whether these are the mappings of an installed hub, not those of its source that somebody works in."""
    from hub import adapting

    return folder == adapting.mappings_folder() and folder.parent != Path.cwd()


def catalog_of(config: Path, mappings: Path | None) -> "Catalog":
    """The mappings of that folder, loaded. Raises ConfigError with every problem of every file."""
    from hub.mapping.catalog import Catalog

    catalog = Catalog(folder_of(config, mappings))
    catalog.load()
    return catalog


def named(catalog: "Catalog", given: str) -> str:
    """The full name of the one mapping that is meant by "taobao/order", "channels/taobao/order" or "taobao". Ends the
    command where it is none or several."""
    names = catalog.names()
    for full in (given, f"channels/{given}", f"destinations/{given}"):
        if full in names:
            return full
    inside = [n for n in names if given and (n.startswith(f"{given}/") or n.partition("/")[2].startswith(f"{given}/"))]
    if len(inside) != 1:
        near = inside or difflib.get_close_matches(given, [name.partition("/")[2] for name in names], 1)
        known = ", ".join(name.removeprefix("channels/") for name in near)
        what = f"{given!r} means several mappings" if inside else f"there is no mapping {given!r}"
        fail(what, hint=f"did you mean {known}?" if near else "hub mapping list", code=USAGE)
    return inside[0]


def version_of(connection: "Connection", catalog: "Catalog", name: str, given: str) -> "Version":
    """The version that is meant: as versions.find has it, or a draft: the path of a .toml file that lies anywhere."""
    from hub.workbench import versions
    from hub.workbench.versions import Version

    if not given.endswith(".toml"):
        return versions.find(connection, catalog, name, given)
    try:
        text = Path(given).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{given}: cannot be read: {error}", hint=f"hub mapping diff {name.removeprefix('channels/')} FILE.toml")
    draft = catalog.with_(name, {**catalog.sources(name), f"{name}.toml": text})
    return Version(name, draft.mapping(name).version, draft.sources(name), origin="draft")
