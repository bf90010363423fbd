"""`hub dlq plan | pause | resume | cancel | report | replays`: replays under control. `hub dlq replay` starts them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub import clock
from hub.cli.output import (
    BeforeOption,
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
    table,
    writing,
)

if TYPE_CHECKING:
    from hub.store import Connection

JobArgument = typer.Argument(..., metavar="REPLAY", help="The replay's number.")
_PART = 500


def register(app: typer.Typer) -> None:
    """Add the commands to `hub dlq`."""
    app.command()(plan)
    app.command()(pause)
    app.command()(resume)
    app.command()(cancel)
    app.command()(report)
    app.command("replays")(list_)


def plan(
    letters: list[int] | None = typer.Argument(None, help="Ids of letters; without any, all open ones that fit."),
    group: str = typer.Option("", "--group", "-g", help="Only this group (whole fingerprint)."),
    shop: str = typer.Option("", "--shop", help="Only this shop."),
    destination: str = typer.Option("", "--destination", "-d", help="Only this destination."),
    cause: str = typer.Option("", "--cause", help="Only this cause, such as delivery.refused."),
    order: str = typer.Option("", "--order", help="Only this order."),
    owner: str = typer.Option("", "--owner", help="Only those assigned to this person."),
    since: str = typer.Option("", "--since", help="Only those that died within this time, such as 2h."),
    most: int | None = typer.Option(None, "--most", min=1, help="Not more letters than this, the oldest."),
    from_replay: int | None = typer.Option(None, "--from", help="Those that died again in this replay."),
    step: str = typer.Option("", "--step", help="Go on from fetch, map, check, route or send; else where each stuck."),
    mapping: str = typer.Option("", "--mapping", help="Map with this version, such as taobao/order@3f2a9c1b."),
    rate: str = typer.Option("", "--rate", help="Letters per unit of time at most, such as 20/s."),
    ramp: str = typer.Option(
        "1,5,20,100", "--ramp", help="Per cents of the list, stage by stage; 100 for all at once."
    ),
    stop_at: float = typer.Option(0.2, "--stop-at", min=0, max=1, help="Pause when more than this share dies again."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Freeze a list of letters and say what replaying it would mean. Nothing is sent before hub dlq replay --job."""
    from hub import replaying

    wanted = {
        "ids": letters, "fingerprint": group, "shop": shop, "destination": destination, "cause": cause,
        "subject": order, "owner": owner, "limit": most, "since": _since(since),
    }  # fmt: skip
    settings: dict[str, Any] = {"step": step, "mapping_version": mapping, "rate": _rate(rate)}
    settings |= {"ramp": _ramp(ramp), "stop_at": stop_at}
    with writing(config) as connection:
        if from_replay is not None:
            job = replaying.again(connection, from_replay, actor())
        else:
            job = replaying.plan(connection, {k: v for k, v in wanted.items() if v}, actor(), **settings)
    if as_json:
        emit(stamped(job))
        return
    _tell_plan(job)


def pause(job: int = JobArgument, config: Path = ConfigOption) -> None:
    """Take no more letters; what is under way goes on."""
    from hub import replaying

    with writing(config) as connection:
        replaying.pause(connection, job, actor())
    out.print(f"replay {job} is paused: hub dlq resume {job}")


def resume(job: int = JobArgument, config: Path = ConfigOption) -> None:
    """Go on with a replay that was paused, by a person or because too many died again."""
    from hub import replaying

    with writing(config) as connection:
        replaying.start(connection, job, actor())
    out.print(f"replay {job} goes on: hub dlq report {job}")


def cancel(job: int = JobArgument, config: Path = ConfigOption) -> None:
    """End a replay; letters whose turn has not come stay open."""
    from hub import replaying

    with writing(config) as connection:
        replaying.cancel(connection, job, actor())
    out.print(f"replay {job} is cancelled: hub dlq report {job}")


def report(
    job: int = JobArgument,
    items: bool = typer.Option(False, "--items", help="Each letter with what became of it."),
    as_csv: bool = typer.Option(False, "--csv", help="Each letter as CSV, for a spreadsheet."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """How far a replay is, and what became of each letter."""
    from hub import replaying

    with reading(config) as connection:
        found = replaying.show(connection, job)
        rows = list(_items(connection, job)) if items or as_csv else []
    if as_csv:
        _write_csv(rows)
        return
    if as_json:
        emit(stamped(found) | ({"items": [stamped(r) for r in rows]} if items else {}))
        return
    _tell(found)
    if items:
        table(
            ("letter", "order", "destination", "became", "why"),
            [(r["letter_id"], r["subject"], r["destination"], r["state"], r["why"][:100]) for r in rows],
        )


def list_(
    before: int | None = BeforeOption,
    limit: int = LimitOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Replays, newest first."""
    from dlq import replay

    with reading(config) as connection:
        rows = replay.find(connection, before=before, limit=limit)
    if as_json:
        emit({"replays": [stamped(r) for r in rows], "before": rows[-1]["id"] if len(rows) == limit else None})
        return
    now = clock.now().timestamp()
    table(
        ("id", "state", "letters", "through", "died again", "waiting", "by", "planned"),
        [
            (r["id"], r["state"], r["total"], r["counts"]["went_through"], r["counts"]["died_again"],
             r["counts"]["waiting"], r["created_by"], ago(r["created_at"], now))
            for r in rows
        ],
        empty="no replays; hub dlq plan makes one",
    )  # fmt: skip


def start(connection: "Connection", job: int) -> str:
    """Start a planned replay; returns what to tell."""
    from hub import replaying

    found = replaying.start(connection, job, actor())
    return f"replay {job} runs over {found['total']} letter(s) while hub run (or hub work) runs: hub dlq report {job}"


def _tell_plan(job: dict[str, Any]) -> None:
    plan = job["plan"]
    out.print(f"replay {job['id']}, planned: {plan['letters']} letter(s), worth {_money(plan['money'])}")
    for title in ("steps", "destinations", "shops", "causes"):
        if plan[title]:
            told = ", ".join(f"{name} {count}" for name, count in sorted(plan[title].items(), key=lambda i: -i[1])[:8])
            out.print(f"  {title}: {told}", markup=False)
    out.print(f"  already delivered, will be skipped: {plan['already_delivered']}; in doubt: {plan['in_doubt']}")
    out.print(f"  {_how(job)}", markup=False)
    out.print(f"[dim]start it: hub dlq replay --job {job['id']}[/]")


def _tell(job: dict[str, Any]) -> None:
    counts = job["counts"]
    why = f" ({job['reason']})" if job["reason"] else ""
    out.print(f"replay {job['id']} is {job['state']}{why}; by {job['created_by']}, {iso(job['created_at'])}")
    out.print(
        f"  {counts['went_through']} of {job['total']} went through, {counts['died_again']} died again,"
        f" {counts['going']} under way, {counts['skipped']} skipped, {counts['waiting']} waiting"
    )
    out.print(f"  {_how(job)}", markup=False)
    if job["state"] == "paused":
        out.print(f"[dim]go on: hub dlq resume {job['id']}; end it: hub dlq cancel {job['id']}[/]")
    elif counts["died_again"]:
        out.print(f"[dim]those again, once mended: hub dlq plan --from {job['id']}[/]")


def _how(job: dict[str, Any]) -> str:
    rate = f"{job['rate']:g} a second" if job["rate"] else "as many as leave live orders alone"
    step = f"from {job['step']}" if job["step"] else "from where each stuck"
    version = f" with {job['mapping_version']}" if job["mapping_version"] else ""
    ramp = " ".join(f"{part}%" for part in job["ramp"])
    return f"{step}{version}, {rate}, in stages {ramp}, stopping when {job['stop_at']:.0%} die again"


def _money(sums: dict[str, str]) -> str:
    return ", ".join(f"{amount} {currency}" for currency, amount in sums.items()) or "nothing that is known"


def _items(connection: "Connection", job: int) -> Iterator[dict[str, Any]]:
    from dlq import replay

    after = 0
    while rows := replay.results(connection, job, after=after, limit=_PART):
        yield from rows
        after = rows[-1]["letter_id"]


def _write_csv(rows: list[dict[str, Any]]) -> None:
    import csv

    names = ("letter_id", "subject", "shop", "destination", "cause", "state", "why", "taken_at", "done_at")
    writer = csv.DictWriter(sys.stdout, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(stamped(row) for row in rows)


def _rate(text: str) -> float | None:
    from hub.config import parse_rate

    try:
        return parse_rate(text) if text else None
    except ValueError as error:
        fail(f"--rate: {error}", code=2)


def _ramp(text: str) -> list[int]:
    try:
        return [int(part.strip().rstrip("%")) for part in text.split(",")]
    except ValueError:
        fail(f"--ramp: {text!r} is no list of per cents", hint="such as 1,5,20,100", code=2)


def _since(text: str) -> float | None:
    from hub.config import parse_duration

    try:
        return clock.now().timestamp() - parse_duration(text) if text else None
    except ValueError as error:
        fail(f"--since: {error}", code=2)
