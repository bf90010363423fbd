"""Drafts a mapping from a sample: a first file that runs, and says of each row how sure it is."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from canonical.problem import Problem
from canonical.serialise import dump_json
from hub.mapping.drafting.matching import SURE, Candidate
from hub.mapping.drafting.proposals import Proposal, Proposals, propose
from hub.mapping.drafting.samples import NotASample, read_sample, records_in
from hub.mapping.drafting.writing import Known, write
from hub.mapping.editing import set_row
from hub.mapping.expression import Expression
from hub.mapping.reading import Reading
from hub.mapping.rows import MappingFile, Value
from hub.mapping.source import parse
from hub.mapping.translation import Compiled, Translator

__all__ = ["Draft", "Known", "NotASample", "draft", "read_sample", "records_in"]

_ROUNDS = 8
_CULPRITS = {
    "check.totals": (
        "totals.discount",
        "totals.other",
        "totals.shipping",
        "totals.tax",
        "totals.goods",
        "totals.payable",
    ),
    "check.lines_sum": ("lines.amount", "totals.discount", "totals.goods"),
    "check.refunded": ("totals.refunded", "totals.paid"),
    "check.revision": ("placed_at",),
}
"""The rows that a check may speak against, where a draft may leave them out."""


@dataclass(slots=True)
class Draft:
    """A drafted mapping, and what it makes of its own sample."""

    text: str
    rows: list[dict[str, Any]]
    """field, row, confidence, why, sure, alternatives: the guesses in the order of the file."""
    missing: list[str]
    """Fields for which nothing was found."""
    documents: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    key: str = ""
    revision: str = ""
    """Expressions of a record's number and mark of change, as a generic shop's settings want them."""

    def share(self, others: Sequence[str]) -> None:
        """Make it stand beside other mappings of its kind: it takes no record until a person has said which."""
        what = f"{', '.join(others)} takes all others. TO DECIDE: for which records this one is"
        self.text = self.text.replace("\nkey = ", f'\naccepts = "`false`"  # {what}\nkey = ', 1)

    @property
    def to_decide(self) -> list[str]:
        """The lines of the file that a person has to look up."""
        return [
            line.strip() for line in self.text.splitlines() if "TO DECIDE" in line and "TO DECIDE marks" not in line
        ]


def draft(
    kind: str, records: Sequence[dict[str, Any]], *, name: str, source: str, known: Known, now: datetime
) -> Draft:
    """Draft the mapping `name` ("harbor/order") from records of one shape, and try it on them.

    Rows that the trial speaks against become comments. What remains is told as problems that say what to fill in.
    Raises NotASample where no field looks like the record's number.
    """
    proposals = propose(kind, records)
    number = proposals.rows[f"{kind}_no"]
    if number.confidence < SURE:
        held = ", ".join(list(records[0])[:12])
        raise NotASample(f"no field of the sample looks like the number of the {kind}; it holds: {held}")
    for _ in range(_ROUNDS):
        text = write(proposals, source=source, records=len(records), known=known)
        mapping = compiled(text, name)
        documents, problems = _tried(mapping, records, now)
        # a word that is to be decided would hide what the checks across fields say
        open_words = any(problem.code == "mapping.unknown_word" for problem in problems)
        told = _tried(compiled(_decided(text, proposals), name), records, now)[1] if open_words else problems
        if not any([_demoted(proposals, problem) for problem in _distinct(told)]):  # noqa: C419  # each has its say
            break
    rows = [_shown(p) for p in proposals.rows.values() if p.row is not None]
    missing = [p.field for p in proposals.rows.values() if p.row is None]
    changed = next((row.path for name, row in mapping.body.rows if name == "revision" and isinstance(row, Value)), None)
    return Draft(text, rows, missing, documents, _distinct(problems, by_value=True), _text(mapping.key), _text(changed))


def compiled(text: str, name: str) -> MappingFile:
    """A draft, read as any mapping is. Raises AssertionError for one that does not load, which is a mistake of ours."""
    table = parse(text, f"mappings/channels/{name}.toml")
    reading = Reading(table, name, outward=False, own=table, shared={})
    mapping = reading.mapping()
    if mapping is None or reading.problems:
        raise AssertionError("\n".join(reading.problems))
    return mapping


def _tried(
    mapping: MappingFile, records: Sequence[dict[str, Any]], now: datetime
) -> tuple[list[dict[str, Any]], list[Problem]]:
    translator = Translator([Compiled(mapping)])
    documents, problems = [], []
    for record in records:
        made = translator.translate(record, tenant="default", shop="shop", channel="channel", now=now)
        problems += made.problems
        if made.document is not None:
            documents.append(json.loads(dump_json(made.document)))
    return documents, problems


def _decided(text: str, proposals: Proposals) -> str:
    """The draft as if every word were known."""
    for proposal in proposals.rows.values():
        if proposal.table and proposal.sure:
            words = proposal.target.words
            word = next((w for w in ("open", "paid", "unshipped", "none") if w in words), words[0])
            text = set_row(text, (proposals.kind, *proposal.field.split(".")), {"value": word})
    return text


def _distinct(problems: Sequence[Problem], *, by_value: bool = False) -> list[Problem]:
    """One problem of each kind, whichever records and lines have it."""
    return list({(p.code, re.sub(r"\[\d+\]", "[]", p.rule), p.found if by_value else ""): p for p in problems}.values())


def _demoted(proposals: Proposals, problem: Problem) -> bool:
    """Turn the row that a problem speaks of into a comment. Whether there was one that can be spared."""
    if problem.code in ("mapping.unknown_word", "mapping.missing"):
        return False
    told = f"the sample speaks against it: {problem.expected or problem.code}"
    if problem.code.startswith("check."):
        rows = [proposals.rows[n] for n in _CULPRITS.get(problem.code, ()) if n in proposals.rows]
        spare = [r for r in rows if r.sure and not r.required]
        weakest = min(spare, key=lambda r: r.confidence, default=None)
        return weakest is not None and _refuse(weakest, told)
    name = re.sub(r"\[\d+\]", "", problem.rule.partition(": ")[2]).partition(".")[2]
    proposal = proposals.rows.get(name)
    return proposal is not None and not proposal.required and proposal.sure and _refuse(proposal, told)


def _refuse(proposal: Proposal, why: str) -> bool:
    proposal.refused = why
    return True


def _text(expression: Expression | None) -> str:
    return expression.text if expression is not None else ""


def _shown(proposal: Proposal) -> dict[str, Any]:
    return {
        "field": proposal.field,
        "row": proposal.row,
        "confidence": proposal.confidence,
        "why": proposal.refused or proposal.why,
        "sure": proposal.sure,
        "alternatives": [_alternative(c) for c in proposal.alternatives],
    }


def _alternative(candidate: Candidate) -> dict[str, Any]:
    return {"path": candidate.text, "confidence": candidate.confidence, "why": "; ".join(candidate.why)}
