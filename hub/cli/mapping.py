"""`hub mapping`: the mappings and their test cases."""

from dataclasses import asdict
from pathlib import Path

import typer

from hub import config as configuration
from hub import wiring
from hub.cli.output import PROBLEMS, WELL, ConfigOption, JsonOption, emit, err, errors, fail, out, table
from hub.mapping.cases import run_cases
from hub.mapping.catalog import Catalog

app = typer.Typer(help="Mappings: list them, run their cases.", no_args_is_help=True)
MappingsOption = typer.Option(None, "--mappings", help="Folder of mappings; default: hub.toml's, else the hub's own.")


@app.command("list")
def list_(config: Path = ConfigOption, mappings: Path | None = MappingsOption, as_json: bool = JsonOption) -> None:
    """Every mapping with its version."""
    with errors():
        catalog = _catalog(config, mappings)
    versions = {name: catalog.mapping(name).version for name in catalog.names()}
    if as_json:
        emit({"mappings": versions})
    else:
        table(("mapping", "version"), versions.items())


@app.command("test")
def run(
    name: str = typer.Argument("", help="Only this mapping, such as taobao or taobao/order."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """Run the cases that lie beside the mappings. A failing one shows where it differs. Exit 1 if any fails."""
    with errors():
        results = run_cases(_catalog(config, mappings), name or None)
    if not results:
        fail(f"no mapping or cases named {name!r}" if name else "no mapping has cases", hint="hub mapping list")
    failed = [r for r in results if not r.passed]
    if as_json:
        emit({"passed": len(results) - len(failed), "failed": [asdict(r) for r in failed]})
    else:
        for result in failed:
            err.print(f"✗ {result.file}", style="red", markup=False)
            for line in result.differences:
                err.print(f"    {line}", markup=False)
        out.print(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    raise typer.Exit(PROBLEMS if failed else WELL)


def _catalog(config: Path, mappings: Path | None) -> Catalog:
    if mappings is None and config.exists():
        mappings = wiring.mappings_folder(configuration.load(config))
    catalog = Catalog(mappings or wiring.mappings_folder())
    catalog.load()
    return catalog
