"""`hub dlq`: dead letters, found, understood, mended and replayed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from hub import clock
from hub.cli import groups, replays
from hub.cli.output import (
    BeforeOption,
    ConfigOption,
    JsonOption,
    LimitOption,
    actor,
    ago,
    emit,
    errors,
    fail,
    iso,
    opened_store,
    out,
    reading,
    stamped,
    table,
    writing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.store import Connection

T = TypeVar("T")
AT_ONCE = 500

app = typer.Typer(
    help="Dead letters: groups shows causes, show explains one, replay sends them again once the cause is mended.",
    no_args_is_help=True,
)
groups.register(app)
replays.register(app)
GroupOption = typer.Option("", "--group", "-g", help="Every open letter of this group (its first characters will do).")
LettersArgument = typer.Argument(None, help="Ids of letters.")


@app.command("list")
def list_(
    state: str = typer.Option("open", "--state", help="open, replaying, resolved, superseded, discarded, or all."),
    group: str = typer.Option("", "--group", "-g", help="Only this group (whole fingerprint)."),
    shop: str = typer.Option("", "--shop", help="Only this shop."),
    destination: str = typer.Option("", "--destination", "-d", help="Only this destination."),
    cause: str = typer.Option("", "--cause", help="Only this cause, such as mapping.unknown_word."),
    order: str = typer.Option("", "--order", help="Only this order."),
    owner: str = typer.Option("", "--owner", help="Only those assigned to this person."),
    before: int | None = BeforeOption,
    limit: int = LimitOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Dead letters, newest first."""
    from dlq import shelf

    with reading(config) as connection:
        rows = shelf.find(
            connection, state=None if state == "all" else state, before=before, limit=limit, subject=order,
            fingerprint=group, shop=shop, destination=destination, cause=cause, owner=owner,
        )  # fmt: skip
    if as_json:
        emit({"letters": [stamped(r) for r in rows], "before": rows[-1]["id"] if len(rows) == limit else None})
        return
    now = clock.now().timestamp()
    table(
        ("id", "order", "stuck at", "what is wrong", "destination", "died", "age", "owner"),
        [
            (r["id"], r["subject"], r["step"], r["title"][:100], r["destination"], f"{r['died']}x",
             ago(r["created_at"], now), r["owner"])
            for r in rows
        ],
        empty="no dead letters",
    )  # fmt: skip
    if len(rows) == limit:
        out.print(f"[dim]more: --before {rows[-1]['id']}[/]")


@app.command()
def show(
    letter: int = typer.Argument(..., help="Id of the letter."),
    personal: bool = typer.Option(False, "--personal", help="Show personal data and the raw message in the clear."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """What is wrong, whose order it is, what to do, and what has been tried."""
    from hub import desk

    with reading(config) as connection:
        found = desk.letter(connection, letter, "support" if personal else "viewer")
    if as_json:
        found["notes"] = [stamped(n) for n in found["notes"]]
        emit(stamped(found))
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    from rich.markup import escape

    out.print(f"[bold]{escape(found['title'])}[/]")
    whose = (
        f"order {found['subject']} of shop {found['shop']}"
        if found["subject"]
        else f"destination {found['destination']}"
    )
    out.print(f"letter {found['id']}, {found['state']}; {whose}; {found['kind']} {found['key']}", markup=False)
    to = f" on its way to {found['destination']}" if found["destination"] else ""
    out.print(
        f"stuck at {found['step']}{to} ({found['cause']}), died {found['died']} time(s), {iso(found['updated_at'])}"
    )
    for problem in found["problems"]:
        expected = f", expected {problem['expected']}" if problem.get("expected") else ""
        out.print(f"  ✗ {problem.get('rule', '')}: found {problem.get('found') or 'nothing'}{expected}", markup=False)
        if problem.get("path"):
            out.print(f"    path: {problem['path']}", markup=False)
        if problem.get("hint"):
            out.print(f"    do: {problem['hint']}", markup=False)
    if found["evidence"]:
        out.print(f"  evidence: {found['evidence']}", markup=False)
    if found["hint"] and not found["problems"]:
        out.print(f"  do: {found['hint']}", markup=False)
    if found.get("raw"):
        out.print(f"  raw: {found['raw'][:4000]}", markup=False)
    for edit_ in found["edits"]:
        paths = ", ".join(path for path, _, _ in edit_["changes"]) or "the original again"
        out.print(
            f"  [dim]{iso(edit_['at'])}[/] {escape(edit_['actor'])} changed {escape(paths)} {escape(edit_['why'])}"
        )
    for said in found["notes"]:
        out.print(f"  [dim]{iso(said['at'])}[/] {escape(said['by'])}: {escape(said['text'])}")
    if found["closed_at"]:
        out.print(f"closed by {found['closed_by']}: {found['closed_why']}", markup=False)
    else:
        out.print(f"[dim]again: hub dlq replay {found['id']}; the whole story: hub trace {escape(found['subject'])}[/]")


@app.command()
def replay(
    letters: list[int] | None = LettersArgument,
    group: str = GroupOption,
    job: int | None = typer.Option(None, "--job", help="Start this replay, as hub dlq plan made it."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would be replayed."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Send letters on again, from the step where they stuck, with the mapping that is in force now.

    Many letters, or a cause of which nobody knows yet whether it is mended: hub dlq plan, then --job.
    """
    from hub import desk

    if job is not None:
        with writing(config) as connection:
            told = replays.start(connection, job)
        out.print(told)
        return
    done = _in_parts(config, letters, group, lambda c, ids: desk.replay(c, ids, actor(), dry_run=dry_run))
    taken = [number for part in done for number in part.letters]
    messages, deliveries = sum(part.messages for part in done), sum(part.deliveries for part in done)
    skipped = sum(part.skipped for part in done)
    if as_json:
        counts = {"messages": messages, "deliveries": deliveries, "skipped": skipped}
        emit({"dry_run": dry_run, "letters": taken, **counts})
    _demand(taken)
    if as_json:
        return
    verb = "would go" if dry_run else "go"
    out.print(f"{len(taken)} letter(s) {verb} again: {messages} to be mapped, {deliveries} to be sent")
    if skipped:
        out.print(f"{skipped} left out: no longer open")
    if not dry_run:
        out.print("[dim]they move while hub run (or hub work) is running; see hub dlq groups[/]")


@app.command()
def discard(
    letters: list[int] | None = LettersArgument,
    group: str = GroupOption,
    reason: str = typer.Option(..., "--reason", help="Why they shall not go on; kept in the audit log."),
    successors: str = typer.Option(
        "", "--successors", help="release or discard the later versions that wait behind them; asked for on a terminal."
    ),
    config: Path = ConfigOption,
) -> None:
    """End letters for good; what waits behind them goes on without them, or is discarded too."""
    from hub import desk

    if successors not in ("", "release", "discard"):
        fail(f"{successors!r} is not release or discard", code=2)
    if not successors and sys.stdin.isatty() and (held := sum(_in_parts(config, letters, group, desk.held_behind))):
        question = f"{held} later version(s) wait behind them. Send those, or discard them too? (release, discard)"
        successors = typer.prompt(question, default="release", err=True)
    what = "discard" if successors == "discard" else "release"
    done = sum(_in_parts(config, letters, group, lambda c, ids: desk.discard(c, ids, actor(), reason, successors=what)))
    _demand(done)
    out.print(f"{done} letter(s) discarded")


@app.command()
def assign(
    owner: str = typer.Argument(..., help='Whose they are; "" takes them back.'),
    letters: list[int] | None = LettersArgument,
    group: str = GroupOption,
    config: Path = ConfigOption,
) -> None:
    """Give letters, or a whole group, to a person."""
    from hub import desk, tending

    if group and not letters:
        with writing(config) as connection:
            done = tending.assign_group(connection, group, owner, actor())["count"]
    else:
        done = sum(_in_parts(config, letters, group, lambda c, ids: desk.assign(c, ids, owner, actor())))
    _demand(done)
    out.print(f"{done} letter(s) assigned to {owner or 'nobody'}", markup=False)


@app.command()
def note(
    letter: int = typer.Argument(..., help="Id of the letter."),
    text: str = typer.Argument(..., help="What you found out."),
    config: Path = ConfigOption,
) -> None:
    """Keep what you found out with the letter; about a cause: hub dlq note-group."""
    from hub import desk

    with writing(config) as connection:
        desk.note(connection, letter, actor(), text)
    out.print("noted")


@app.command()
def edit(
    letter: int = typer.Argument(..., help="Id of the letter."),
    values: list[str] = typer.Option([], "--set", help="PATH=VALUE, such as lines[0].sku=CUP-1; several times."),
    file: Path | None = typer.Option(None, "--file", help="The whole document (or record) as JSON; - for stdin."),
    edition: int | None = typer.Option(None, "--edition", help="The edition that you saw; refused if it has changed."),
    why: str = typer.Option("", "--why", help="Kept with the letter."),
    config: Path = ConfigOption,
) -> None:
    """Change what a letter carries before it goes on; the original is kept. Without --set or --file: print it.

    A delivery carries a canonical document, which is checked; a letter that never became one carries the record.
    """
    from hub import tending

    with writing(config) as connection:
        found, _, now = tending.content(connection, letter)
        if not values and file is None:
            emit({"letter": letter, "edition": found["edition"], "content": now})
            return
        wanted = _read(file) if file is not None else tending.with_values(now, tending.parse_settings(values))
        expected = found["edition"] if edition is None else edition
        told = tending.edit(connection, letter, wanted, actor(), expected=expected, why=why)
    for path, before, after in told:
        out.print(f"  {path}: {before} -> {after}", markup=False)
    out.print(f"letter {letter} goes on with that: hub dlq replay {letter}" if told else "the original again")


def _read(file: Path) -> Any:
    from canonical import parse_json

    try:
        return parse_json(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as error:
        fail(f"{file}: {error.strerror}", code=2)


def _in_parts(
    config: Path, letters: list[int] | None, group: str, act: "Callable[[Connection, list[int]], T]"
) -> list[T]:
    """Do something to the chosen letters, so many in a transaction that live orders never wait long for it."""
    with errors():
        store = opened_store(config)
        try:
            with store.look() as connection:
                ids = _chosen(connection, letters, group)
            done = []
            for first in range(0, len(ids), AT_ONCE):
                with store.begin() as connection:
                    done.append(act(connection, ids[first : first + AT_ONCE]))
            return done
        finally:
            store.close()


def _demand(done: object) -> None:
    """Nothing done is no success."""
    if not done:
        fail("none of these letters is open", hint="hub dlq list --state all")


def _chosen(connection: "Connection", letters: list[int] | None, group: str) -> list[int]:
    from hub import desk

    if bool(letters) == bool(group):
        fail("name letters, or one group with --group", hint="hub dlq groups", code=2)
    return desk.letters_of_group(connection, group) if group else list(letters or [])
