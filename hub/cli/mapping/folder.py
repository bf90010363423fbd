"""Which folder of mappings a command means."""

from pathlib import Path

import typer

from hub import config as configuration
from hub import wiring
from hub.mapping.catalog import Catalog

MappingsOption = typer.Option(None, "--mappings", help="Folder of mappings; default: hub.toml's, else the hub's own.")


def folder_of(config: Path, mappings: Path | None) -> Path:
    """The folder of --mappings, else hub.toml's, else the one that comes with the hub."""
    if mappings is None and config.exists():
        return wiring.mappings_folder(configuration.load(config))
    return mappings or wiring.mappings_folder()


def catalog_of(config: Path, mappings: Path | None) -> Catalog:
    """The mappings of that folder, loaded. Raises ConfigError with every problem of every file."""
    catalog = Catalog(folder_of(config, mappings))
    catalog.load()
    return catalog
