"""`hub mapping list | test | explain | coverage | record`: mappings and their cases."""

from dataclasses import asdict
from pathlib import Path

import typer

from hub.cli.mapping import explain
from hub.cli.mapping.folder import MappingsOption, catalog_of
from hub.cli.output import PROBLEMS, WELL, ConfigOption, JsonOption, emit, err, errors, fail, out, table
from hub.mapping.cases import run_cases


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_)
    app.command("test")(run)
    explain.register(app)


def list_(config: Path = ConfigOption, mappings: Path | None = MappingsOption, as_json: bool = JsonOption) -> None:
    """Every mapping with its version."""
    with errors():
        catalog = catalog_of(config, mappings)
    versions = {name: catalog.mapping(name).version for name in catalog.names()}
    if as_json:
        emit({"mappings": versions})
    else:
        table(("mapping", "version"), versions.items())


def run(
    name: str = typer.Argument("", help="Only this mapping, such as taobao or taobao/order."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """Run the cases that lie beside the mappings. A failing one shows where it differs. Exit 1 if any fails."""
    with errors():
        results = run_cases(catalog_of(config, mappings), name or None)
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
