"""`hub mapping list | test`: mappings, and the cases beside them; the commands around cases are registered here."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub.cli.mapping import coverage, explain, record
from hub.cli.mapping.folder import MappingsOption, catalog_of, folder_of
from hub.cli.output import PROBLEMS, REFUSED, USAGE, WELL, ConfigOption, JsonOption, emit, err, errors, fail, out, table

if TYPE_CHECKING:
    from hub.mapping.cases import CaseResult


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_)
    app.command("test")(run)
    explain.register(app)
    coverage.register(app)
    record.register(app)


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
    name: str = typer.Argument("", help="Only this: taobao, taobao/order, or one case: taobao/cases/order-step."),
    watch: bool = typer.Option(False, "--watch", "-w", help="Run again when a mapping, table or case changes."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """Run the cases that lie beside the mappings.

    A failing one shows the first fields that differ and what made them: the rule's file and line, the branch that was
    taken, the path and what it found. Exit 1 if a case fails, 3 if a mapping itself is broken.
    With --watch --json each run is one line. Ctrl-C ends it.

    Example: hub mapping test taobao/order --watch
    """
    with errors():
        folder = folder_of(config, mappings)
        if not watch:
            raise typer.Exit(_once(folder, name, as_json=as_json, line=False))
        if not folder.is_dir():
            fail(f"{folder}: there is no such folder", hint="--mappings FOLDER names another", code=USAGE)
        with suppress(KeyboardInterrupt):
            for _ in _changes(folder):
                _once(folder, name, as_json=as_json, line=True)
                if not as_json:
                    out.print(f"[dim]watching {folder}; Ctrl-C ends[/]")
                sys.stdout.flush()


def _changes(folder: Path) -> Iterator[None]:
    """Now, and whenever a mapping, a table or a case below the folder has changed, until Ctrl-C."""
    import watchfiles

    seen = _stamp(folder)
    yield None
    # woken by the system, and by the clock for what was saved meanwhile and for mounts that send no events
    for _ in watchfiles.watch(folder, raise_interrupt=False, rust_timeout=1000, yield_on_timeout=True):
        stamp = _stamp(folder)
        if stamp != seen:
            seen = stamp
            yield None


def _stamp(folder: Path) -> list[tuple[str, int, int]]:
    """Names, times and sizes of everything that cases depend on."""
    found = []
    for path in sorted(path for pattern in ("*.toml", "*.json") for path in folder.rglob(pattern)):
        try:
            facts = path.stat()
        except FileNotFoundError:  # an editor is just replacing it
            continue
        found.append((str(path), facts.st_mtime_ns, facts.st_size))
    return found


def _once(folder: Path, name: str, *, as_json: bool, line: bool) -> int:
    """One run; the exit code that it stands for. `line`: JSON on a single line."""
    from hub.mapping.cases import run_cases
    from hub.mapping.catalog import Catalog

    catalog = Catalog(folder)
    broken, others = _concerned(catalog.load_what_can_be(), name)
    # what a broken mapping would have made of its cases is not known
    results = [] if broken and name else run_cases(catalog, name or None)
    if not results and not broken and not line:
        fail(f"no mapping or cases named {name!r}" if name else "no mapping has cases", hint="hub mapping list")
    failed = [r for r in results if not r.passed]
    if as_json:
        told = {"passed": len(results) - len(failed), "failed": [r.as_dict() for r in failed], "broken": broken}
        if line:
            sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        else:
            emit(told)
    else:
        _show(results, failed, broken, others)
    return REFUSED if broken else PROBLEMS if failed else WELL


def _concerned(problems: list[str], name: str) -> tuple[list[str], list[str]]:
    """Problems of mapping files: those that concern what is meant, and the others."""
    code = name.removeprefix("channels/").removeprefix("destinations/").partition("/")[0]
    mine = [p for p in problems if not code or f"/{code}/" in p or "/tables/" in p]
    return mine, [p for p in problems if p not in mine]


def _show(results: "list[CaseResult]", failed: "list[CaseResult]", broken: list[str], others: list[str]) -> None:
    for problem in broken:
        err.print(f"✗ {problem}", style="red", markup=False)
    for result in failed:
        about = f": {result.why}" if result.why else ""
        err.print(f"✗ {result.file}:{result.line}  {result.mapping} {result.case}{about}", style="red", markup=False)
        for finding in result.findings:
            err.print(f"    {finding.text}", markup=False)
            if finding.rule:
                err.print(f"      by {finding.rule}", markup=False)
    if others:
        err.print(f"[dim]{len(others)} problem(s) in other mappings: hub mapping check[/]")
    told = f"{len(results) - len(failed)} passed, {len(failed)} failed"
    out.print(told + (f", {len(broken)} problem(s) in the mapping itself" if broken else ""))
