"""`hub dlq groups | group | acknowledge | ignore | reopen`: causes of dead letters, and their life."""

from pathlib import Path
from typing import Any

import typer

from dlq.life import UNRESOLVED, Life
from hub import clock
from hub.cli.output import (
    ConfigOption,
    JsonOption,
    LimitOption,
    actor,
    ago,
    emit,
    fail,
    iso,
    out,
    reading,
    stamped,
    writing,
)

GroupArgument = typer.Argument(..., help="The group's fingerprint, or its first characters.")
WhyOption = typer.Option("", "--why", help="Kept in the audit log.")
_CHOICES = ("unresolved", "all", *(life.value for life in Life))
_BARS = " ▁▂▃▄▅▆▇█"


def register(app: typer.Typer) -> None:
    """Add the commands to `hub dlq`."""
    app.command("groups")(list_)
    app.command("group")(show)
    app.command("note-group")(note)
    app.command()(acknowledge)
    app.command()(ignore)
    app.command()(reopen)


def list_(
    state: str = typer.Option("unresolved", "--state", help=f"{', '.join(_CHOICES)}."),
    after: str = typer.Option("", "--after", help="Go on from this group: `cursor` of the last one of a page."),
    limit: int = LimitOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Causes, the most frequent first: mend one, replay the group."""
    from dlq import groups

    if state not in _CHOICES:
        fail(f"{state!r} is no state of a group", hint=f"one of {', '.join(_CHOICES)}", code=2)
    states = {"unresolved": UNRESOLVED, "all": tuple(Life)}.get(state, (state,))
    with reading(config) as connection:
        rows = groups.find(connection, states=states, after=after, limit=limit)
    if as_json:
        emit({"groups": [stamped(r) for r in rows], "after": rows[-1]["cursor"] if len(rows) == limit else None})
        return
    now = clock.now().timestamp()
    for row in rows:
        _tell(row, now)
    if not rows:
        out.print("[green]no dead letters[/]" if state == "unresolved" else "[dim]none[/]")
    elif len(rows) == limit:
        out.print(f"[dim]more: --after {rows[-1]['cursor']}[/]")


def show(fingerprint: str = GroupArgument, config: Path = ConfigOption, as_json: bool = JsonOption) -> None:
    """One group: its state, its notes, what is at stake, how it grows."""
    from rich.markup import escape

    from hub import tending

    with reading(config) as connection:
        found = tending.group(connection, fingerprint)
    if as_json:
        emit(stamped(found) | {"notes": [stamped(n) for n in found["notes"]]})
        return
    _tell(found, clock.now().timestamp())
    for said in found["notes"]:
        out.print(f"  [dim]{iso(said['at'])}[/] {escape(said['by'])}: {escape(said['text'])}")


def note(
    fingerprint: str = GroupArgument,
    text: str = typer.Argument(..., help="What you found out about the cause."),
    config: Path = ConfigOption,
) -> None:
    """Keep what you found out about a cause; it stays when the letters are gone."""
    from hub import tending

    with writing(config) as connection:
        tending.note_group(connection, fingerprint, text, actor())
    out.print("noted")


def acknowledge(fingerprint: str = GroupArgument, why: str = WhyOption, config: Path = ConfigOption) -> None:
    """Say that somebody knows of it."""
    _set(config, fingerprint, Life.ACKNOWLEDGED, why)


def ignore(fingerprint: str = GroupArgument, why: str = WhyOption, config: Path = ConfigOption) -> None:
    """Hear no more of a cause: it is in no list and no alert, until somebody reopens it. Its letters stay."""
    _set(config, fingerprint, Life.IGNORED, why)


def reopen(fingerprint: str = GroupArgument, why: str = WhyOption, config: Path = ConfigOption) -> None:
    """Open a group again that was acknowledged, given to somebody, or ignored."""
    _set(config, fingerprint, Life.OPEN, why)


def _set(config: Path, fingerprint: str, to: Life, why: str) -> None:
    from hub import tending

    with writing(config) as connection:
        found = tending.set_life(connection, fingerprint, to, actor(), why)
    out.print(f"group {found['fingerprint']} is {found['state']}; {found['count']} letter(s)")


def _tell(row: dict[str, Any], now: float) -> None:
    from rich.markup import escape

    place = row["destination"] or row["channel"]
    state = "" if row["state"] == Life.OPEN else f"  {row['state']}" + (f" to {row['owner']}" if row["owner"] else "")
    worth = ", ".join(f"{amount} {currency}" for currency, amount in row["money"].items())
    out.print(f"[bold]{row['fingerprint']}[/]  {row['count']} letter(s)  {place}  {row['cause']}{escape(state)}")
    out.print(f"  {row['title']}", markup=False)
    if row["hint"]:
        out.print(f"  do: {row['hint']}", markup=False)
    stake = f"  at stake: {worth};" if worth else " "
    out.print(f"{stake} deaths per hour: {_bars(row['trend'])} ({row['total']} in all)", markup=False)
    out.print(
        f"  [dim]since {ago(row['first_at'], now)}, last {ago(row['last_at'], now)};"
        f" look: hub dlq show {row['sample']}; again: hub dlq replay -g {row['fingerprint'][:6]}[/]"
    )


def _bars(counts: list[int]) -> str:
    most = max(counts, default=0)
    return "".join(_BARS[-(-8 * count // most)] for count in counts) if most else "none"
