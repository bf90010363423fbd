"""`hub destinations`: their health, and what a person may do about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub import clock
from hub.cli.output import ConfigOption, JsonOption, actor, ago, emit, fail, iso, out, reading_hub, table, writing_hub

if TYPE_CHECKING:
    from hub.wiring import Hub

app = typer.Typer(help="Destinations: list, pause, resume, breaker.", no_args_is_help=True)


@app.command("list")
def list_(config: Path = ConfigOption, as_json: bool = JsonOption) -> None:
    """Every destination with its breaker, its queue and its oldest waiting delivery."""
    from hub.store import views

    with reading_hub(config) as (hub, connection):
        rows = _rows(hub, views.destination_states(connection))
    if as_json:
        shown = [r | {"oldest_waiting": iso(r["oldest_waiting"]) if r["oldest_waiting"] else None} for r in rows]
        emit({"destinations": shown})
        return
    now = clock.now().timestamp()
    table(
        ("destination", "breaker", "paused", "delivered", "waiting", "held", "in doubt", "dead", "oldest waiting"),
        [
            (r["name"], r["breaker"], r["paused"] or "no", *(r["counts"].get(s, 0) for s in ("delivered",)),
             r["counts"].get("waiting", 0) + r["counts"].get("sending", 0), r["counts"].get("held", 0),
             r["counts"].get("in_doubt", 0), r["counts"].get("dead", 0), ago(r["oldest_waiting"], now))
            for r in rows
        ],
    )  # fmt: skip


@app.command()
def pause(
    name: str,
    reason: str = typer.Option("", "--reason", help="Why; shown to everybody."),
    config: Path = ConfigOption,
) -> None:
    """Stop sending there; deliveries wait."""
    from hub import desk

    with writing_hub(config) as (hub, connection):
        _known(hub, name)
        desk.pause(connection, name, actor(), reason)
    out.print(f"{name} is paused; its deliveries wait. hub destinations resume {name}")


@app.command()
def resume(name: str, config: Path = ConfigOption) -> None:
    """Send there again."""
    from hub import desk

    with writing_hub(config) as (hub, connection):
        _known(hub, name)
        desk.resume(connection, name, actor())
    out.print(f"{name} is being sent to again")


@app.command()
def breaker(
    name: str,
    to: str = typer.Argument(..., help="open, closed, or auto to give it back to its own judgement."),
    kind: str = typer.Option("", "--kind", "-k", help="Only for these documents: order, refund, invoice ..."),
    config: Path = ConfigOption,
) -> None:
    """Force the circuit breaker of a destination, or of one kind of document there."""
    from canonical.documents import DOCUMENTS
    from hub import desk

    if kind and kind not in DOCUMENTS:
        fail(f"{kind!r} is not a kind of document", hint=f"one of {', '.join(DOCUMENTS)}", code=2)
    if to not in ("open", "closed", "auto"):
        fail(f"{to!r} is not a breaker state", hint="one of open, closed, auto", code=2)
    with writing_hub(config) as (hub, connection):
        _known(hub, name)
        desk.force_breaker(connection, name, to, actor(), kind)
    what = f"{name} for {kind} documents" if kind else name
    out.print(f"the breaker of {what} is {'automatic again' if to == 'auto' else 'forced ' + to}")


def _known(hub: "Hub", name: str) -> None:
    if name not in hub.targets:
        fail(f"no destination {name!r} in hub.toml", hint=f"there are: {', '.join(hub.targets)}", code=2)


def _rows(hub: "Hub", states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    from hub.breaker import WHOLE, overall
    from hub.store import state

    found = {s["name"]: s for s in states}
    rows = []
    for name in hub.targets:
        row = found.get(name, {"name": name, "counts": {}, "oldest": {}})
        circuits = state.circuits_of(row)
        circuit = overall(circuits)
        worst = [kind for kind, c in circuits.items() if c.state != "closed" or (c.forced and kind != WHOLE)]
        of = f" ({', '.join(worst)})" if worst else ""
        waiting = [v for k, v in row["oldest"].items() if k != "dead"]
        rows.append(
            {
                "name": name,
                "kind": hub.targets[name].section.kind,
                "breaker": (f"forced {circuit.forced}" if circuit.forced else circuit.state) + of,
                "paused": row.get("paused", ""),
                "counts": row["counts"],
                "oldest_waiting": min(waiting, default=None),
            }
        )
    return rows
