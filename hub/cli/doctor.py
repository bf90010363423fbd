"""`hub doctor`: what needs a person's attention, in one look."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub import clock
from hub.cli.output import PROBLEMS, ConfigOption, JsonOption, ago, emit, err, out, reading_hub

if TYPE_CHECKING:
    from hub.store import Connection
    from hub.wiring import Hub

LATE = 300.0
"""Seconds after which something that waits is worth a line."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(config: Path = ConfigOption, as_json: bool = JsonOption) -> None:
    """Check configuration, store, pulls, queues, breakers and dead letters. Exit 0: all well; 1: something to do."""
    with reading_hub(config) as (hub, connection):
        findings = _findings(hub, connection, clock.now().timestamp())
    if as_json:
        emit({"ok": not findings, "findings": findings})
    elif not findings:
        out.print("[green]✓[/] all well")
    for finding in [] if as_json else findings:
        err.print(f"✗ {finding['what']}", style="red", markup=False)
        err.print(f"  do: {finding['do']}", markup=False)
    raise typer.Exit(PROBLEMS if findings else 0)


def _findings(hub: "Hub", connection: "Connection", now: float) -> list[dict[str, Any]]:
    from dlq import groups

    found = [*_pulls(connection), *_queues(connection, now), *_messages(connection, now)]
    if not hub.targets:
        found.append(("hub.toml has no destination", "hub init shows one of each kind"))
    found += [
        (f"{group['count']} dead letter(s): {group['title']}", f"hub dlq show {group['sample']}")
        for group in groups.find(connection, limit=10)
    ]
    return [{"what": what, "do": do} for what, do in found]


def _pulls(connection: "Connection") -> Iterator[tuple[str, str]]:
    from hub.store import views

    for pull in views.pull_states(connection):
        where = f"{pull['shop']}/{pull['kind']}"
        if pull["paused"]:
            yield f"pulling {where} is paused: {pull['paused']}", f"mend it, then: hub pull {pull['shop']}"
        elif pull["failures"] >= 3:
            yield f"pulling {where} failed {pull['failures']} times: {pull['error']}", f"hub pull {pull['shop']}"


def _queues(connection: "Connection", now: float) -> Iterator[tuple[str, str]]:
    from hub import breaker
    from hub.store import state, views

    for row in views.destination_states(connection):
        name, circuit = row["name"], breaker.overall(state.circuits_of(row))
        if row.get("paused"):
            yield f"{name} is paused: {row['paused']}", f"hub destinations resume {name}"
        if circuit.forced or circuit.state != "closed":
            yield f"the breaker of {name} is {circuit.forced or circuit.state}", f"hub deliveries list -d {name}"
        oldest = min((v for k, v in row["oldest"].items() if k != "dead"), default=None)
        if oldest and now - oldest > LATE:
            what = f"{name}: the oldest waiting delivery was accepted {ago(oldest, now)}"
            yield what, f"hub deliveries list -d {name}"


def _messages(connection: "Connection", now: float) -> Iterator[tuple[str, str]]:
    from hub.store import views

    for row in views.message_states(connection):
        if row["state"] in ("received", "fetch") and now - row["oldest"] > LATE:
            yield f"{row['n']} message(s) of {row['shop']} wait since {ago(row['oldest'], now)}", "is hub run running?"
