"""`hub mapping diff | shadow | drift`: mappings held against what the platforms really sent."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub import clock
from hub.cli.mapping import drift, shadow
from hub.cli.mapping.folder import named, version_of
from hub.cli.mapping.report import print_report
from hub.cli.output import (
    PROBLEMS,
    USAGE,
    WELL,
    ConfigOption,
    JsonOption,
    actor,
    emit,
    err,
    errors,
    fail,
    opened,
    out,
)

if TYPE_CHECKING:
    from hub import wiring
    from hub.mapping.difference import Report
    from hub.workbench.history import Scope
    from hub.workbench.versions import Version

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("diff")(diff)
    shadow.register(app)
    drift.register(app)


def diff(
    name: str = typer.Argument(help="The mapping, such as taobao/order; taobao/order@3f2a names a version too."),
    first: str = typer.Argument("", metavar="[OLD]", help="The version to compare with; default: active."),
    second: str = typer.Argument("", metavar="[NEW]", help="The version to look at; default: file."),
    last: int = typer.Option(1000, "--last", min=1, help="The newest so many messages."),
    since: str = typer.Option("", "--since", help="What arrived in this time instead, such as 7d."),
    shop: str = typer.Option("", "--shop", help="Only of this shop; such a look does not count as seen."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """What a change of a mapping would have made of the stored messages (of a destination's: of the documents).

    A version is the beginning of its hash, or one of: file (as it lies on disk), active (in force), previous; or the
    path of a draft, a .toml file anywhere. One version alone is compared with the one in force. The report is kept:
    `hub mapping activate` asks for it.
    Exit 1 if what was a document no longer is one.

    Example: hub mapping diff taobao/order draft.toml --last 5000
    """
    from hub.workbench import history

    with errors():
        hub = opened(config)
        try:
            full, old, new = _versions(hub, name, first, second)
            report, seconds = _compared(hub, full, old, new, last, since, shop)
            kept = None
            if not shop and old.version != new.version:
                with hub.store.begin() as connection:
                    kept = history.keep(connection, report, actor())
        finally:
            hub.store.close()
    if as_json:
        emit({**report.as_dict(), "seconds": round(seconds, 2), "diff": kept})
    else:
        _print(report, seconds, recorded=kept is not None)
    raise typer.Exit(PROBLEMS if report.worse else WELL)


def _versions(hub: "wiring.Hub", name: str, first: str, second: str) -> "tuple[str, Version, Version]":
    """What is compared: `NAME [OLD] [NEW]`, or two versions written with their names."""
    name, at, version = name.partition("@")
    wanted = [*([version] if at else []), *(v.rpartition("@")[2] for v in (first, second) if v)]
    if len(wanted) > 2:
        fail(f"two versions are compared, not {len(wanted)}", hint="hub mapping diff NAME OLD NEW", code=USAGE)
    old, new = ["active", *wanted] if len(wanted) == 1 else wanted or ["active", "file"]
    full = named(hub.catalog, name)
    with hub.store.look() as connection:
        found = [version_of(connection, hub.catalog, full, wanted) for wanted in (old, new)]
    return full, found[0], found[1]


def _compared(
    hub: "wiring.Hub", name: str, old: "Version", new: "Version", last: int, since: str, shop: str
) -> "tuple[Report, float]":
    from hub.mapping.difference import Report
    from hub.workbench import history

    if old.version == new.version:
        return Report(name, old.version, new.version), 0.0
    before, after = (hub.catalog.with_(name, version.sources) for version in (old, new))
    scope = _narrowed(history.scope_of(before, name, hub.shops, hub.config), shop)
    stamp = clock.now().timestamp() - _duration(since) if since else 0.0
    inputs = history.stored(hub.store, scope, last=0 if since else last, since=stamp)
    report = Report(name, old.version, new.version)
    started = time.perf_counter()
    try:
        history.compare(before, after, name, _shown(inputs, 0 if since else last), shops=hub.shops, report=report)
        history.count_letters(hub.store, after, scope, report)
    except KeyboardInterrupt:
        err.print(f"stopped after {report.compared}; nothing was recorded")
        raise typer.Exit(STOPPED) from None
    return report, time.perf_counter() - started


def _narrowed(scope: "Scope", shop: str) -> "Scope":
    if not shop:
        return scope
    if shop not in scope.shops:
        there_are = f"there are: {', '.join(scope.shops)}" if scope.shops else "no shop of hub.toml uses it"
        fail(f"the shop {shop!r} does not use {scope.name}", hint=there_are, code=USAGE)
    return replace(scope, shops={shop: scope.shops[shop]})


def _duration(text: str) -> float:
    from hub.config import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        fail(f"--since: {error}", hint="--since 7d", code=USAGE)


def _shown(inputs: Iterable[Mapping[str, Any]], total: int) -> Iterator[Mapping[str, Any]]:
    """The same, with the progress on a terminal."""
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    if not err.is_terminal:
        yield from inputs
        return
    columns = (SpinnerColumn(), TextColumn("compared"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err.console, transient=True) as progress:
        task = progress.add_task("", total=total or None)
        for row in inputs:
            yield row
            progress.advance(task)


def _print(report: "Report", seconds: float, *, recorded: bool) -> None:
    out.print(f"{report.name}: {report.old} -> {report.new}", markup=False)
    if report.old == report.new:
        out.print("the same version: nothing to compare")
        out.print(
            "[dim]a mapping that follows its file has it in force once it is saved: try a draft beside it first[/]"
        )
        return
    print_report(report)
    if not report.compared:
        out.print("nothing is stored that this mapping reads: there is no history to compare")
    out.print(f"[dim]{report.compared + report.unreadable} looked at in {seconds:.1f} s[/]")
    if recorded:
        out.print(f"[dim]seen; next:[/] hub mapping activate {report.name.removeprefix('channels/')}")
