"""`hub mapping mend`: the row that mends a group of dead letters: proposed, tried, written, the letters replayed."""

import tomllib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from hub import clock
from hub.cli.mapping.folder import is_shipped
from hub.cli.mapping.report import print_report
from hub.cli.output import (
    PROBLEMS,
    REFUSED,
    USAGE,
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
    from hub.mapping.remedies import Remedy
    from hub.workbench.mending import Done, Finding, Group, Plan

AT_ONCE = 500
"""Letters replayed in one transaction."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mend")(mend)


def mend(
    group: str = typer.Argument(help="The group's fingerprint, or its first characters, as hub dlq groups has it."),
    rows: list[str] = typer.Option(
        [], "--row", metavar="ROW", help="Your choice: its number, or the row itself as TOML."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="Write it and replay without asking."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only show what it would write and change."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Mend a group of dead letters: propose the row, show what it changes, write it, replay the letters.

    Proposed are a word for a table, a path that moved, a value that means "not set", a default, a guard. What a word
    means is never guessed: you choose, at the prompt or by --row. Nothing is written before the change has been tried
    on the letters, on recent history and on the mapping's cases.
    Exit 1 where there is nothing to propose or a choice is missing, 3 where cases fail.

    Example: hub mapping mend 2b84 --row 'awaiting_pickup = "open"'
    """
    from hub.workbench import mending
    from hub.workbench.mending import Bench

    with errors():
        hub = opened(config)
        try:
            bench = Bench(hub.store, hub.catalog, hub.shops, hub.config, is_shipped(hub.catalog.folder))
            with hub.store.look() as connection:
                found = mending.group_of(bench, connection, group)
            chosen = _chosen(hub, found, rows, ask=err.is_terminal and not (yes or as_json or dry_run), sure=yes)
            if chosen is None:
                _offer(found, as_json)
            plan = mending.plan(bench, found, chosen, f"{actor()}, {_today()}: group {found.fingerprint[:6]}")
            if not as_json:
                _show(plan)
            _demand(plan, as_json)
            if dry_run or not (yes or _consents()):
                if as_json:
                    emit(_result(plan, None, 0))
                elif not dry_run:
                    out.print("nothing was written; --yes writes it without asking")
                return
            with hub.store.begin() as connection:
                done = mending.carry_out(bench, connection, plan, actor())
            replayed = _replay(hub, found) if done.active else 0
        finally:
            hub.store.close()
    if as_json:
        emit(_result(plan, done, replayed))
    else:
        _tell(found, done, replayed)


def _chosen(hub: "wiring.Hub", group: "Group", rows: list[str], *, ask: bool, sure: bool) -> "list[Remedy] | None":
    """A remedy for each finding: what --row says, else the only one that needs no choice, else what is answered."""
    given = list(rows)
    offered = [remedy for finding in group.findings for remedy in finding.remedies]
    chosen = [_named(hub, group, offered, text) for text in given]
    places = {(r.file, tuple(r.at), *(r.keys if r.word else ())) for r in chosen}
    for finding in group.findings:
        mended = [r for r in finding.remedies if (r.file, tuple(r.at), *(r.keys if r.word else ())) in places]
        if mended or (given and not finding.remedies):
            continue
        certain = [r for r in finding.remedies if r.sure]
        if ask and finding.remedies:
            chosen.append(_asked(finding))
        elif len(certain) == 1 or (certain and sure):
            chosen.append(certain[0])
        elif not given:
            return None
    return chosen or None


def _named(hub: "wiring.Hub", group: "Group", offered: "list[Remedy]", text: str) -> "Remedy":
    """The remedy that a --row means: the number of an offered one, a word of a table, or a row of the document."""
    from hub.mapping.remedies import Remedy

    if text.isdecimal():
        if not 0 < int(text) <= len(offered):
            fail(
                f"--row {text}: there are {len(offered)} proposals",
                hint="hub mapping mend GROUP lists them",
                code=USAGE,
            )
        return offered[int(text) - 1]
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fail(f"--row: not TOML: {error}", hint="""--row 'word = "value"' or --row 'order.field = "path"'""", code=USAGE)
    mapping = hub.catalog.mapping(group.name)
    section = "body" if mapping.outward else mapping.kind
    if len(data) == 1 and section in data:
        return _row(hub, group, data, section)
    word = next((r for r in offered if r.word and set(r.keys) == set(data)), None)
    if word is None or len(data) != 1:
        words = ", ".join(dict.fromkeys(k for r in offered if r.word for k in r.keys)) or "none"
        fail(
            f"--row {text}: no word of this group; there are: {words}", hint=f"a row begins with {section}.", code=USAGE
        )
    return Remedy("word", text, "", word.file, word.at, data, word=True)


def _row(hub: "wiring.Hub", group: "Group", data: dict[str, Any], section: str) -> "Remedy":
    """A row written out: order.paid_at = {path = "..."}. Its keys are laid on those of the row that is there."""
    from hub.mapping import editing
    from hub.mapping.remedies import Remedy, keys_of, rows_at

    label, value = section, data[section]
    mapping = hub.catalog.mapping(group.name)
    while True:
        there = [row for row, _ in rows_at(mapping.body, label)]
        if there:
            break
        if not isinstance(value, dict) or len(value) != 1:
            fail(
                f"--row: {mapping.name} has no row {label}",
                hint=f"hub mapping mend {group.fingerprint[:6]}",
                code=USAGE,
            )
        name, value = next(iter(value.items()))
        label = f"{label}.{name}"
    keys = {"path": value} if isinstance(value, str) else value
    place = there[0].place
    file = place.file.removeprefix(f"{hub.catalog.folder.name}/")
    return Remedy("row", f"{label} = {editing.written(value)}", "", file, keys_of(place.key), keys)


def _asked(finding: "Finding") -> "Remedy":
    _finding(finding, 1)
    while True:
        answer = typer.prompt("which", default="", show_default=False, err=True)
        if answer.isdecimal() and 0 < int(answer) <= len(finding.remedies):
            return finding.remedies[int(answer) - 1]
        if not answer:
            err.print("nothing was written")
            raise typer.Exit(PROBLEMS)
        err.print(f"a number from 1 to {len(finding.remedies)}; nothing ends it")


def _finding(finding: "Finding", first: int) -> None:
    from rich.markup import escape

    problem = finding.problem
    out.print(f"✗ {problem.rule}: found {problem.found or 'nothing'}, expected {problem.expected}", markup=False)
    for number, remedy in enumerate(finding.remedies, first):
        why = f"  [dim]{escape(remedy.why)}[/]" if remedy.why else ""
        out.print(f"  {number}  {escape(remedy.title)}{why}")
    if not finding.remedies:
        out.print(f"     no row to propose; {problem.hint}", markup=False)


def _offer(group: "Group", as_json: bool) -> NoReturn:
    """Nothing may be taken without a choice: say what there is."""
    from hub.mapping import editing

    offered = [remedy for finding in group.findings for remedy in finding.remedies]
    if as_json:
        proposals = [{"number": number, **remedy.as_dict()} for number, remedy in enumerate(offered, 1)]
        told = {"group": group.fingerprint, "mapping": group.name, "letters": len(group.letters)}
        emit({**told, "proposals": proposals, "written": []})
        raise typer.Exit(PROBLEMS)
    first = 1
    for finding in group.findings:
        _finding(finding, first)
        first += len(finding.remedies)
    if not offered:
        fail("no row would mend this group", hint=f"hub dlq show {group.letters[0]}")
    example = next((r for r in offered if r.word), None)
    text = f"--row '{editing.written(dict(example.keys))[2:-2]}'" if example else "--row 1"
    fail("a person has to choose", hint=f"hub mapping mend {group.fingerprint[:6]} {text}")


def _show(plan: "Plan") -> None:
    out.print(plan.diff, markup=False, end="")
    out.print(f"{plan.letters_mended} of {plan.tried} letter(s) would go through")
    for problem in plan.left[:5]:
        out.print(
            f"  still: {problem.rule}: found {problem.found or 'nothing'}, expected {problem.expected}", markup=False
        )
    if plan.report is not None and plan.report.compared:
        out.print(f"of the {plan.report.compared} newest messages:")
        print_report(plan.report)
    for case in plan.failed_cases:
        err.print(f"✗ {case.file}", style="red", markup=False)
        for line in case.differences:
            err.print(f"    {line}", markup=False)


def _demand(plan: "Plan", as_json: bool) -> None:
    """Red cases, and a change that mends nothing, are not written."""
    if as_json and (plan.failed_cases or not plan.letters_mended):
        emit(_result(plan, None, 0))
    if plan.failed_cases:
        name = plan.group.name.partition("/")[2]
        fail(
            f"{len(plan.failed_cases)} case(s) fail with it; nothing was written",
            hint=f"hub mapping test {name}",
            code=REFUSED,
        )
    if not plan.letters_mended:
        fail(
            "none of the letters would go through with it; nothing was written",
            hint="choose another --row, or give several",
        )


def _consents() -> bool:
    return err.is_terminal and typer.confirm("write it and replay the letters?", err=True)


def _replay(hub: "wiring.Hub", group: "Group") -> int:
    from hub import desk

    count = 0
    for first in range(0, len(group.letters), AT_ONCE):
        with hub.store.begin() as connection:
            count += len(desk.replay(connection, group.letters[first : first + AT_ONCE], actor()).letters)
    return count


def _tell(group: "Group", done: "Done", replayed: int) -> None:
    for file in done.written:
        out.print(f"[green]✓[/] wrote {file}")
    if not done.written:
        name = group.name.partition("/")[2]
        out.print(
            f"[green]✓[/] activated {done.version}; the files are as they were: not followed, or not to be written"
        )
        out.print(f"put the change into git too; back again: hub mapping rollback {name}")
    out.print(f"{replayed} letter(s) go again; they move while hub run (or hub work) is running")
    out.print(f"[dim]keep it right with a case: hub mapping record {group.key}[/]")


def _result(plan: "Plan", done: "Done | None", replayed: int) -> dict[str, Any]:
    return {
        "group": plan.group.fingerprint,
        "mapping": plan.group.name,
        "letters": len(plan.group.letters),
        "letters_mended": plan.letters_mended,
        "remedies": [remedy.as_dict() for remedy in plan.remedies],
        "diff": plan.diff,
        "left": [problem.as_dict() for problem in plan.left],
        "history": plan.report.as_dict() if plan.report else None,
        "failed_cases": [case.file for case in plan.failed_cases],
        "written": done.written if done else [],
        "version": done.version if done else "",
        "replayed": replayed,
    }


def _today() -> date:
    return clock.now().date()
