"""`hub audit`: who did what, and whether the log of it is whole."""

from dataclasses import asdict
from pathlib import Path

import typer

from hub.cli.output import (
    PROBLEMS,
    BeforeOption,
    ConfigOption,
    JsonOption,
    LimitOption,
    emit,
    fail,
    iso,
    out,
    reading,
    stamped,
    table,
)

app = typer.Typer(help="The audit log: list, verify.", no_args_is_help=True)


@app.command("list")
def list_(
    before: int | None = BeforeOption,
    limit: int = LimitOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Who did what and when, the hub's own turns included, newest first."""
    from hub.store import audit

    with reading(config) as connection:
        rows = audit.entries(connection, before=before, limit=limit)
    if as_json:
        emit({"acts": [stamped(r) for r in rows], "before": rows[-1]["id"] if len(rows) == limit else None})
        return
    table(
        ("id", "at", "who", "did", "to", "detail"),
        [(r["id"], iso(r["at"]), r["actor"], r["act"], r["subject"], r["detail"][:120]) for r in rows],
        empty="nothing was done yet",
    )
    if len(rows) == limit:
        out.print(f"[dim]more: --before {rows[-1]['id']}[/]")


@app.command()
def verify(
    head: str = typer.Option("", "--head", help="A head that was noted earlier, and must be in the chain."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Read the whole chain of hashes. Exit code 1 if any entry was changed, removed or put in between.

    Note the head somewhere else now and then: with --head, a log that was cut off at its end is noticed too.
    """
    from hub.store import audit

    with reading(config) as connection:
        found = audit.verify(connection, head)
    if as_json:
        emit(asdict(found) | {"whole": found.whole})
        raise typer.Exit(0 if found.whole else PROBLEMS)
    if found.broken is not None:
        fail(f"the chain breaks at entry {found.broken}: {found.why}", hint=f"hub audit list --before {found.broken}")
    if found.missing:
        fail(f"{found.entries} entries fit, but {found.missing[:16]}... is not among them: the end was cut off")
    out.print(f"{found.entries} entries, whole; head {found.head}")
