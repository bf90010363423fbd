"""`hub mapping show`: a mapping as it is written, or as it comes out of what it extends."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub.cli.mapping.folder import MappingsOption, catalog_of, named, version_of
from hub.cli.output import USAGE, ConfigOption, JsonOption, emit, errors, fail, opened

if TYPE_CHECKING:
    from hub import wiring
    from hub.mapping.catalog import Catalog


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(
    name: str = typer.Argument(help="The mapping, such as taobao/order."),
    version: str = typer.Option("", "--version", help="A hash's beginning, file, active or previous."),
    shop: str = typer.Option("", "--shop", help="As it is for this shop of hub.toml, its overlay laid on it."),
    resolved: bool = typer.Option(False, "--resolved", help="Every row that holds, with the file and line it is from."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """Print a mapping: its files, or with --resolved the rows that hold once overlays are laid on what they extend.

    Example: hub mapping show taobao/order --shop outlet --resolved
    """
    from hub.mapping.resolved import as_toml, rows_of

    with errors():
        if config.exists() and mappings is None:
            hub = opened(config)
            try:
                catalog, full = _meant(hub, name, version, shop)
            finally:
                hub.store.close()
        else:
            if version or shop:
                fail("--version and --shop need a hub.toml", hint="-c PATH/hub.toml", code=USAGE)
            catalog = catalog_of(config, mappings)
            full = named(catalog, name)
    mapping = catalog.mapping(full)
    if as_json:
        rows = [
            {"key": key, "value": value, "file": place.file, "line": place.line}
            for key, value, place in rows_of(mapping)
        ]
        emit({"name": full, "version": mapping.version, "rows": rows, "sources": catalog.sources(full)})
    elif resolved:
        typer.echo(as_toml(mapping), nl=False)
    else:
        for path, text in catalog.sources(full).items():
            if path.endswith(f"{full}.toml") or not path.startswith("tables/"):
                typer.echo(f"# {path}\n{text.rstrip()}\n")


def _meant(hub: "wiring.Hub", name: str, version: str, shop: str) -> "tuple[Catalog, str]":
    """The catalog and the full name that are meant."""
    full = named(hub.catalog, name)
    catalog = hub.catalog
    if version:
        with hub.store.look() as connection:
            catalog = catalog.with_(full, version_of(connection, catalog, full, version).sources)
    if not shop:
        return catalog, full
    front = hub.shops.get(shop)
    if front is None:
        fail(f"there is no shop {shop!r} in hub.toml", hint=f"there are: {', '.join(hub.shops)}", code=USAGE)
    kind = catalog.mapping(full).kind
    used = [mapping.full_name for mapping in catalog.channel(front.mappings, kind, front.overlay).mappings]
    own = next((one for one in used if full in _lineage(catalog, one)), "")
    if not own:
        fail(f"the shop {shop!r} does not use {name}", hint=f"it uses {', '.join(used)}", code=USAGE)
    return catalog, own


def _lineage(catalog: "Catalog", name: str) -> list[str]:
    """A mapping, and all that it extends."""
    names = [name]
    while (parent := catalog.mapping(names[-1]).extends) and f"channels/{parent}" not in names:
        names.append(f"channels/{parent}")
    return names
