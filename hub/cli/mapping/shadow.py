"""`hub mapping shadow`: a version beside the one in force, on live traffic."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub import clock
from hub.cli.mapping.folder import named, version_of
from hub.cli.mapping.report import print_report
from hub.cli.output import (
    PROBLEMS,
    USAGE,
    WELL,
    ConfigOption,
    JsonOption,
    actor,
    ago,
    emit,
    fail,
    out,
    reading_hub,
    stamped,
    writing_hub,
)

if TYPE_CHECKING:
    from hub.mapping.difference import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("shadow")(command)


def command(
    name: str = typer.Argument(help="The mapping, such as taobao/order."),
    version: str = typer.Argument(
        "", help="Version to try: a hash's beginning, file, or a draft.toml. Without: status."
    ),
    for_: str = typer.Option("24h", "--for", help="How long."),
    stop: bool = typer.Option(False, "--stop", help="End the running one before its time."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Map live traffic with a second version too, deliver the old, count the differences.

    The running hub does it, off its hot path; this command starts it, shows the report so far, or stops it. A shadow
    that ran to its end counts as a seen diff. When another version goes into force meanwhile, counting begins anew.
    Exit 1 if the report shows documents that the new version fails to make.

    Example: hub mapping shadow taobao/order draft.toml --for 24h
    """
    from hub.mapping.difference import Report
    from hub.workbench import shadow

    if stop and version:
        fail("--stop takes no version", hint=f"hub mapping shadow {name} --stop", code=USAGE)
    if version:
        _start(config, name, version, for_, as_json)
        return
    if stop:
        with writing_hub(config) as (hub, connection):
            row = shadow.stop(connection, named(hub.catalog, name), actor())
    else:
        with reading_hub(config) as (hub, connection):
            row = shadow.status(connection, named(hub.catalog, name))
    report = Report.from_dict(row["report"]) if row["report"] else None
    if as_json:
        emit(stamped(row))
    else:
        _print(row, report)
    raise typer.Exit(PROBLEMS if report is not None and report.worse else WELL)


def _start(config: Path, name: str, version: str, for_: str, as_json: bool) -> None:
    from hub.config import parse_duration
    from hub.workbench import shadow, versions

    try:
        seconds = parse_duration(for_)
    except ValueError as error:
        fail(f"--for: {error}", hint="--for 24h", code=USAGE)
    with writing_hub(config) as (hub, connection):
        full = named(hub.catalog, name)
        found = version_of(connection, hub.catalog, full, version)
        versions.propose(connection, hub.catalog, full, found.sources, actor(), origin=found.origin)
        number = shadow.start(connection, hub.catalog, full, found, seconds, actor())
    if as_json:
        emit({"shadow": number, "name": full, "version": found.version})
    else:
        out.print(f"{found.version} is in the shadow for {for_}; how it goes: hub mapping shadow {name}", markup=False)


def _print(row: dict[str, Any], report: "Report | None") -> None:
    now = clock.now().timestamp()
    if row["ended_at"]:
        when = f"ended {ago(row['ended_at'], now)}"
    else:
        when = f"running since {ago(row['started_at'], now)}, {max(row['until'] - now, 0) / 3600:.1f} h to go"
    out.print(f"{row['version']} in the shadow of {report.old if report else 'the one in force'}: {when}", markup=False)
    if report is None:
        out.print("nothing compared yet: the running hub looks at what arrives from now on")
        return
    out.print(f"{report.compared} compared" + (f", {report.skipped} passed over" if report.skipped else ""))
    print_report(report)
