"""`hub trace`: one order's whole story."""

from pathlib import Path
from typing import Any

import typer

from hub.cli.output import PROBLEMS, ConfigOption, JsonOption, emit, fail, iso, out, reading, stamped


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("trace")(trace)


def trace(
    order: str = typer.Argument(..., help="The platform's order number, or the one that people see."),
    personal: bool = typer.Option(False, "--personal", help="Show personal data in the clear."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """How and when it arrived, what was ignored and why, what it became, where it went, what stuck and was mended."""
    from hub import desk
    from hub.store import views

    with reading(config) as connection:
        story = views.trace(connection, order)
    if not any(story[part] for part in ("messages", "documents", "deliveries", "dead_letters")):
        fail(
            f"the hub has never seen {order}", hint="hub orders list; hub pull SHOP --from ... asks the platform again"
        )
    role = "support" if personal else "viewer"
    for made in story["documents"]:
        made["body"] = desk.masked(role, made["body"], made["kind"])
    if as_json:
        emit(_machine(story))
        raise typer.Exit(0)
    for at, text in sorted(_events(story), key=lambda event: event[0]):
        out.print(f"[dim]{iso(at)}[/]  ", end="")
        out.print(text, markup=False)
    _ending(story)
    if any(letter["state"] == "open" for letter in story["dead_letters"]):
        raise typer.Exit(PROBLEMS)


def _machine(story: dict[str, Any]) -> dict[str, Any]:
    shown = {name: [stamped(row) for row in rows] if isinstance(rows, list) else rows for name, rows in story.items()}
    for row in shown["deliveries"]:
        row["attempted"] = [stamped(a) for a in row["attempted"]]
    for letter in shown["dead_letters"]:
        letter["notes"] = [stamped(n) for n in letter["notes"]]
    return shown


def _events(story: dict[str, Any]) -> list[tuple[float, str]]:
    events: list[tuple[float, str]] = []
    for m in story["messages"]:
        what = f"message {m['id']}: {m['kind']} {m['key']} by {m['via']} from shop {m['shop']}"
        events.append((m["received_at"], f"{what}, revision {m['revision'] or 'none'}"))
        if m["state"] == "ignored":
            same = f" (message {m['same_as']} has it)" if m["same_as"] else ""
            events.append((m["done_at"] or m["received_at"], f"message {m['id']} ignored: {m['reason']}{same}"))
        elif m["state"] == "translated":
            tail = f"; {m['reason']}" if m["reason"] else ""
            events.append((m["done_at"], f"message {m['id']} translated by {m['mapping_version']}{tail}"))
        elif m["state"] == "dead":
            events.append((m["done_at"] or m["received_at"], f"message {m['id']} is dead: {m['reason']}"))
    for d in story["deliveries"]:
        name = f"delivery {d['id']} to {d['destination']}: {d['kind']} {d['key']} version {d['sequence']}"
        events.append((d["created_at"], f"{name} queued"))
        for a in d["attempted"]:
            status = f" ({a['status']})" if a["status"] else ""
            error = f": {a['error']}" if a["error"] else ""
            again = f"; again at {iso(a['next_at'])}" if a["next_at"] and d["state"] != "dead" else ""
            events.append(
                (
                    a["at"] + a["seconds"],
                    f"delivery {d['id']} attempt {a['number']} {a['outcome']}{status}{error}{again}",
                )
            )
    for letter in story["dead_letters"]:
        events.append((letter["created_at"], f"dead letter {letter['id']} at {letter['step']}: {letter['title']}"))
        events += [(n["at"], f"dead letter {letter['id']}, {n['by']}: {n['text']}") for n in letter["notes"]]
        if letter["closed_at"]:
            by = f"{letter['state']} by {letter['closed_by']}: {letter['closed_why']}"
            events.append((letter["closed_at"], f"dead letter {letter['id']} {by}"))
    return events


def _ending(story: dict[str, Any]) -> None:
    out.print()
    for made in story["documents"]:
        body = made["body"]
        facts = "  ".join(f"{k} {body[k]}" for k in ("state", "payment", "fulfilment", "shippable") if k in body)
        out.print(
            f"{made['kind']} {made['number']} version {made['version']} by {made['mapping_version']}:  {facts}",
            markup=False,
        )
        for hold in body.get("holds") or []:
            out.print(f"  hold {hold['code']} ({hold['word']})", markup=False)
    for d in story["deliveries"]:
        wait = f", behind delivery {d['waits_for']}" if d["waits_for"] else ""
        wait += f", held by {d['held_by']}" if d["held_by"] not in ("", "lane") else ""
        due = f", next try {iso(d['due_at'])}" if d["state"] in ("waiting", "in_doubt") and d["attempts"] else ""
        reference = f" as {d['reference']}" if d["reference"] else ""
        what = f"{d['kind']} {d['key']} v{d['sequence']} {d['state']}"
        out.print(f"{d['destination']}: {what}{reference}{wait}{due}", markup=False)
    for letter in story["dead_letters"]:
        if letter["state"] in ("open", "replaying"):
            out.print(f"[red]dead letter {letter['id']}[/] {letter['state']}: hub dlq show {letter['id']}")
