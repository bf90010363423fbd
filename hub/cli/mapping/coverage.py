"""`hub mapping coverage`: what the cases leave untested."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub.cli.mapping.folder import MappingsOption, catalog_of, named
from hub.cli.mapping.given import Desk, mappings_for, of_file
from hub.cli.output import PROBLEMS, USAGE, WELL, ConfigOption, JsonOption, emit, err, errors, fail, opened, out, table

if TYPE_CHECKING:
    from hub.mapping.catalog import Catalog
    from hub.mapping.coverage import Coverage
    from hub.workbench.samples import Sample

SHOWN = 12
"""Entries of each list that people are shown; --json has all."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("coverage")(coverage)


def coverage(
    name: str = typer.Argument("", help="Only this: taobao (all of it) or taobao/order; default: every mapping."),
    fail_under: float = typer.Option(0.0, "--fail-under", min=0, max=100, help="Exit 1 if a mapping has less percent."),
    sample: list[str] = typer.Option([], "--samples", "-s", help="Run the records of this file too. Repeatable."),
    last: int = typer.Option(0, "--last", min=0, help="Run the newest so many stored messages too."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """What the cases of a mapping leave untested: fields never set, rows never run, branches never taken, words of its
    tables never seen, and paths of the records that no rule reads.

    The percentage: of all fields, rows, branches and words of the mapping, how many some case has met. Words of shared
    tables and unread paths do not count. --samples and --last add records that no case expects anything of.

    Example: hub mapping coverage taobao/order --fail-under 90
    """
    from hub.mapping.coverage import coverage_of

    with errors():
        catalog = catalog_of(config, mappings)
        names = _meant(catalog, name)
        if (sample or last) and len(names) > 1:
            fail("--samples and --last are for one mapping", hint=f"one of: {', '.join(names)}", code=USAGE)
        found = coverage_of(catalog, names)
        for file in sample:
            given = of_file(Desk(catalog, {}), names[0], file)
            _add(found[0], Desk(catalog, {}), (one for one, _ in given))
        if last:
            _add_stored(found[0], config, last)
    low = [c for c in found if c.percent < fail_under]
    if as_json:
        emit({"mappings": [c.report() for c in found], "under": [c.mapping.full_name for c in low]})
    else:
        _show(found, details=len(found) == 1)
        for one in low:
            err.print(f"✗ {one.mapping.full_name}: {one.percent} % is under {fail_under:g} %", style="red")
    raise typer.Exit(PROBLEMS if low else WELL)


def _meant(catalog: "Catalog", name: str) -> list[str]:
    names = catalog.names()
    folder = [n for n in names if n.startswith((f"channels/{name}/", f"destinations/{name}/", f"{name}/"))]
    return names if not name else folder or [named(catalog, name)]


def _add(coverage: "Coverage", desk: Desk, given: "Iterator[Sample]") -> None:
    from hub.mapping.trace import Tracer, trace_by

    tracers: dict[str, Tracer] = {}
    for one in given:
        sharing = mappings_for(desk, coverage.mapping.full_name, one)
        for mapping in sharing:
            tracers.setdefault(mapping.full_name, Tracer(mapping))
        coverage.add(trace_by([tracers[m.full_name] for m in sharing], one.record))


def _add_stored(coverage: "Coverage", config: Path, last: int) -> None:
    from hub.workbench import history

    hub = opened(config)
    try:
        scope = history.scope_of(hub.catalog, coverage.mapping.full_name, hub.shops, hub.config)
        rows = history.stored(hub.store, scope, last=last)
        _add(coverage, Desk(hub.catalog, hub.shops), _parsed(rows))
    finally:
        hub.store.close()


def _parsed(rows: Iterator[dict[str, Any]]) -> "Iterator[Sample]":
    from canonical.errors import HubError
    from canonical.parsing import parse_json
    from hub.store import inbox
    from hub.workbench.samples import Sample

    for row in rows:
        try:
            record = parse_json(inbox.decompress(row["body"]))
        except HubError:
            continue
        yield Sample(record, row["kind"], row["key"], {"shop": row["shop"]})


def _show(found: "list[Coverage]", *, details: bool) -> None:
    from hub.mapping.coverage import PARTS

    reports = [c.report() for c in found]
    rows = []
    for r in reports:
        parts = (f"{r[part]['met']}/{r[part]['of']}" for part in PARTS.values())
        rows.append((r["mapping"], f"{r['percent']} %", r["records"], *parts))
    table(("mapping", "covered", "records", *PARTS.values()), rows)
    if details:
        _details(reports[0])


def _details(report: dict[str, Any]) -> None:
    titles = {"fields": "never set", "rows": "never run", "branches": "never taken", "words": "never seen"}
    for part, title in titles.items():
        missing = report["missing"][part]
        _list(f"{part} {title}", [_line(point) for point in missing])
    _list("paths that no rule reads", [f"{p['path']}  (in {p['records']} record(s))" for p in report["unread"]])
    _list("canonical fields without a row", report["unmapped"])
    for name, count in report["shared_tables"].items():
        out.print(f"shared table {name}: {count} of its words seen", markup=False)


def _line(point: dict[str, Any]) -> str:
    what = point.get("field") or point.get("table")
    detail = next((f": {point[key]}" for key in ("path", "if", "word") if key in point), "")
    return f"{point['file']}:{point['line']}  {what}{detail}"


def _list(title: str, lines: list[str]) -> None:
    if not lines:
        return
    out.print(f"{title}: {len(lines)}", style="bold")
    for line in lines[:SHOWN]:
        out.print(f"  {line}", markup=False)
    if len(lines) > SHOWN:
        out.print(f"  ... and {len(lines) - SHOWN} more: --json has all", markup=False)
