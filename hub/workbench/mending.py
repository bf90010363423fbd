"""Mending a group of dead letters: what would mend it, what else that changes, and doing it.

A plan is made of remedies that a person chose; it touches nothing. `carry_out` writes the mapping, and only if the
files are still those that the plan was made from. The letters are replayed by the caller, in parts.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from canonical.errors import HubError
from canonical.parsing import parse_json
from canonical.problem import Problem
from dlq import shelf
from hub import clock, desk
from hub.config import Config
from hub.desk import NotFound, NotNow
from hub.mapping.cases import CaseResult, run_cases
from hub.mapping.catalog import Catalog
from hub.mapping.difference import Outcome, Report
from hub.mapping.drafting.borrowing import words_of
from hub.mapping.editing import Uneditable, difference
from hub.mapping.remedies import Remedy, remedies
from hub.receiving import ShopFront
from hub.store import Connection, Store, audit, inbox
from hub.store import history as stored_inputs
from hub.workbench import history, versions
from hub.workbench.versions import Candidate, Version

SAMPLES = 50
"""Failing and working records that remedies are looked for in."""
RECENT = 1000
"""Stored inputs on which a plan is tried beside the group's own."""
ACT = "mapping.mended"


class NotMendable(HubError):
    """A group that no row of a mapping could mend."""

    code = "mending.none"
    hint = "hub dlq show ID tells what is wrong; mend it there, then hub dlq replay."


@dataclass(frozen=True, slots=True)
class Bench:
    """What mending needs of a hub."""

    store: Store
    catalog: Catalog
    shops: Mapping[str, ShopFront]
    config: Config
    shipped: bool = False
    """Whether the mappings are those of an installed hub, which its next update replaces."""


@dataclass(slots=True)
class Finding:
    """One problem of the group, and what could mend it."""

    problem: Problem
    count: int
    remedies: list[Remedy]


@dataclass(slots=True)
class Group:
    """A group of open letters that one mapping made. `name` is the mapping's full name."""

    fingerprint: str
    letters: list[int]
    name: str
    findings: list[Finding]
    key: str
    """The number of the oldest letter's record."""


@dataclass(slots=True)
class Plan:
    """What would be written, and what it would change.

    `before` and `after`: text by path below the folder of mappings. `tried`: letters whose input was mapped anew.
    `report`: recent history, old against new.
    """

    group: Group
    remedies: list[Remedy]
    before: dict[str, str]
    after: dict[str, str]
    catalog: Catalog
    tried: int = 0
    letters_mended: int = 0
    left: list[Problem] = field(default_factory=list)
    report: Report | None = None
    failed_cases: list[CaseResult] = field(default_factory=list)

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        folder = self.catalog.folder.name
        return "".join(difference(self.before[f], self.after[f], f"{folder}/{f}") for f in self.after)


@dataclass(frozen=True, slots=True)
class Done:
    """How a plan was carried out: `written` files, or a `version` in the store where they cannot be written."""

    written: list[str]
    version: str = ""
    active: bool = False
    by_hand: str = ""


def group_of(bench: Bench, connection: Connection, fingerprint: str) -> Group:
    """The letters of a group, their inputs, and what could mend each of its problems.

    Raises NotFound for no such group, NotMendable for one whose trouble is no mapping's.
    """
    ids = desk.letters_of_group(connection, fingerprint)
    first = shelf.get(connection, ids[0])
    assert first is not None  # noqa: S101  # it was just listed
    problems = [p for p in first["problems"] if str(p.get("code", "")).startswith("mapping.")]
    if not problems:
        raise NotMendable(
            f"the group's trouble is {first['cause']}, which no row of a mapping causes", hint=first["hint"]
        )
    outward = first["delivery_id"] is not None
    short = str(problems[0]["rule"]).partition(": ")[0]
    name = f"{'destinations' if outward else 'channels'}/{short}"
    if name not in bench.catalog.names():
        raise NotFound(f"the mapping {short} is no longer there", hint="hub mapping list")
    letters, inputs = _page(connection, first["fingerprint"], None, SAMPLES)
    mapping = bench.catalog.mapping(name)
    known = words_of(bench.catalog.mapping(n) for n in bench.catalog.names())
    failing = [_record(row) for row in inputs]
    working = _working(bench, name)
    findings = []
    for gist, (problem, count) in _told(letters).items():
        if gist[0].startswith("mapping."):
            found = remedies(mapping, bench.catalog.folder.name, problem, failing, working, known)
            findings.append(Finding(problem, count, found))
    return Group(first["fingerprint"], ids, name, findings, first["key"])


def plan(bench: Bench, group: Group, chosen: Sequence[Remedy], comment: str) -> Plan:
    """What these remedies would write and change. Raises ConfigError where the mapping would not load, NotMendable with
    the text to put in by hand where a file cannot be edited without touching anything else."""
    before = bench.catalog.sources(group.name)
    after = dict(before)
    for remedy in chosen:
        try:
            after[remedy.file] = remedy.apply(after[remedy.file], comment)
        except Uneditable as error:
            raise NotMendable(f"{remedy.file}: {error}", hint=f"put in by hand: {error.by_hand}") from None
        except KeyError:
            raise NotMendable(f"{remedy.file} is no part of {group.name}") from None
    changed = {file: text for file, text in after.items() if text != before[file]}
    catalog = bench.catalog.with_(group.name, after)
    made = Plan(group, list(chosen), {file: before[file] for file in changed}, changed, catalog)
    _try_letters(bench, made)
    _try_history(bench, made)
    made.failed_cases = [r for r in run_cases(catalog, group.name) if not r.passed]
    return made


def carry_out(bench: Bench, connection: Connection, plan: Plan, actor: str) -> Done:
    """Write the files; where they cannot be written or are not in force, activate a version. Note who and why.

    Raises NotNow where a file is no longer the one that the plan was made from: nothing is written then.
    """
    group = plan.group
    pinned = group.name in bench.catalog.pins
    folder = bench.catalog.folder
    why = f"group {group.fingerprint[:6]}: {'; '.join(r.title for r in plan.remedies)}"
    if not (pinned or bench.shipped) and _write(folder, plan):
        done = Done(list(plan.after), plan.catalog.mapping(group.name).version, active=True)
    else:
        sources = {**bench.catalog.sources(group.name), **plan.after}
        made = versions.propose(connection, bench.catalog, group.name, sources, actor, origin="mend", why=why)
        tried = _tried(connection, bench, plan, made)
        versions.activate(connection, bench.catalog, tried, actor, why=why)
        done = Done([], made.version, active=True, by_hand=plan.diff)
    audit.write(connection, clock.now().timestamp(), actor, ACT, group.name, why)
    return done


def _tried(connection: Connection, bench: Bench, plan: Plan, made: Version) -> Candidate:
    """The version as a candidate: the plan has tried it on the cases and on history already."""
    failed = [result.case for result in plan.failed_cases]
    current, sequence = versions.in_force(connection, bench.catalog, made.name)
    return Candidate(made, current, sequence, failed_cases=failed, cases=len(failed))


def _write(folder: Path, plan: Plan) -> bool:
    """All files or none; False where the folder cannot be written.

    Each is held against what the plan saw, and replaced in one step.
    """
    for file, text in plan.before.items():
        if (folder / file).read_bytes().decode("utf-8") != text:
            hint = f"look at the change, then again: hub mapping mend {plan.group.fingerprint[:6]}"
            raise NotNow(f"{file} was changed in the meantime; nothing was written", hint=hint)
    ready: list[tuple[Path, Path]] = []
    try:
        for file, text in plan.after.items():
            path = folder / file
            with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
                ready.append((Path(new.name), path))
                new.write(text.encode("utf-8"))
            Path(new.name).chmod(path.stat().st_mode & 0o777)
        for new_path, path in ready:
            new_path.replace(path)
    except OSError:
        for new_path, _ in ready:
            new_path.unlink(missing_ok=True)
        return False
    return True


def _told(letters: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], tuple[Problem, int]]:
    """The distinct problems of letters, with how many of them have each."""
    found: dict[tuple[str, str, str], tuple[Problem, int]] = {}
    for letter in letters:
        for data in letter["problems"]:
            gist = (data["code"], re.sub(r"\[\d+\]", "[]", data.get("rule", "")), data.get("path", ""))
            problem, count = found.get(gist, (Problem(**data), 0))
            found[gist] = (problem, count + 1)
    return found


def _page(
    connection: Connection, fingerprint: str, before: int | None, limit: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Open letters of a group below an id, newest first, and their inputs."""
    letters = shelf.find(connection, before=before, limit=limit, fingerprint=fingerprint)
    outward = any(letter["delivery_id"] is not None for letter in letters)
    about = "delivery_id" if outward else "message_id"
    wanted = [letter[about] for letter in letters if letter[about] is not None]
    return letters, stored_inputs.bodies(connection, wanted, of_deliveries=outward)


def _inputs(store: Store, fingerprint: str) -> Iterator[dict[str, Any]]:
    """The inputs of a group's open letters, read in pages."""
    before: int | None = None
    while True:
        with store.look() as connection:
            letters, rows = _page(connection, fingerprint, before, history.PAGE)
        yield from rows
        if len(letters) < history.PAGE:
            return
        before = letters[-1]["id"]


def _record(row: Mapping[str, Any]) -> Any:
    return parse_json(inbox.decompress(row["body"]))


def _working(bench: Bench, name: str) -> list[Any]:
    """Records that go through, the newest ones."""
    make = history.maker(bench.catalog, name, bench.shops)
    found: list[Any] = []
    for row in _recent(bench, name, bench.catalog):
        record = _record(row)
        if not make(record, row).problems:
            found.append(record)
    return found[-SAMPLES:]


def _recent(bench: Bench, name: str, catalog: Catalog) -> Iterable[dict[str, Any]]:
    scope = history.scope_of(catalog, name, bench.shops, bench.config)
    return islice(history.stored(bench.store, scope, last=RECENT), RECENT)


def _try_letters(bench: Bench, plan: Plan) -> None:
    """How many of the group's letters would go through, and what would still be wrong with the others."""
    make = history.maker(plan.catalog, plan.group.name, bench.shops)
    left: dict[tuple[str, str], Problem] = {}
    for row in _inputs(bench.store, plan.group.fingerprint):
        plan.tried += 1
        outcome: Outcome = make(_record(row), row)
        plan.letters_mended += not outcome.problems
        for problem in outcome.problems:
            left.setdefault((problem.code, re.sub(r"\[\d+\]", "[]", problem.rule)), problem)
    plan.left = list(left.values())


def _try_history(bench: Bench, plan: Plan) -> None:
    name = plan.group.name
    plan.report = history.compare(
        bench.catalog, plan.catalog, name, _recent(bench, name, bench.catalog), shops=bench.shops
    )
