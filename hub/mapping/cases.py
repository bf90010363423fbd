"""Cases beside the mappings: a record, and what must become of it. The same for authors, CI and the console.

    {"why": "...", "given": <one record>, "expect": {part of the document}, "problems": [codes], "ignored": "why"}

`expect` names only what matters: an object may have more fields than expected, a list must have as many items, single
values must be equal (amounts and times as text). `kind` ("refund") says which mapping is meant where the name of the
case does not begin with it; `mapping` ("taobao/outlet") names a shop's overlay. A file may hold a list of cases.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from canonical.errors import ConfigError
from canonical.problem import Problem
from canonical.serialise import dump_json
from hub.mapping.casefile import Case, read_cases
from hub.mapping.catalog import Catalog
from hub.mapping.drafting.samples import error_of
from hub.mapping.explain import UnknownField, explain, in_short
from hub.mapping.rows import MappingFile
from hub.mapping.trace import Trace, traced

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_MOST = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a case is not as expected. `field` is "" where it is not about one field.

    `rule` tells what made the field: file:line, branch, path and raw value.
    """

    text: str
    field: str = ""
    expected: Any = None
    found: Any = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended. `findings`: the first that matter; none means that it passed."""

    mapping: str
    case: str
    file: str
    why: str = ""
    findings: list[Finding] = field(default_factory=list)
    line: int = 1

    @property
    def passed(self) -> bool:
        """Whether all came out as expected."""
        return not self.findings

    @property
    def differences(self) -> list[str]:
        """The findings, one line each."""
        return [finding.text for finding in self.findings]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        told = {name: getattr(self, name) for name in ("mapping", "case", "file", "line", "why", "differences")}
        names = ("field", "expected", "found", "rule")
        return {**told, "fields": [{n: getattr(f, n) for n in names} for f in self.findings if f.field]}


def run_cases(catalog: Catalog, name: str | None = None) -> list[CaseResult]:
    """Run the cases beside the mappings of a loaded catalog. A failing one is traced: its findings name their rules.

    `name` narrows it: a channel or destination ("taobao"), a mapping ("taobao/refund", "channels/taobao/refund") or
    one case ("taobao/cases/presale").
    """
    results = []
    for case, kind in cases_of(catalog, name):
        found = [Finding(text) for text in case.wrong] or list(_run(catalog, case, kind))
        why = str(case.data.get("why", ""))
        mapping = f"{case.folder}/{kind or '?'}"
        results.append(CaseResult(mapping, case.name, case.file, why, found[:_MOST], case.line))
    return results


def cases_of(catalog: Catalog, name: str | None = None) -> Iterator[tuple[Case, str]]:
    """The cases that are meant (see run_cases), each with the kind of document that it is about, "" if it is none."""
    for way in ("channels", "destinations"):
        for path in sorted(catalog.folder.glob(f"{way}/*/cases/*.json")):
            for case in read_cases(catalog.folder, way, path):
                kind = "" if case.wrong else str(case.data.get("kind") or _kind(catalog, way, case.folder, path.stem))
                if _meant(name, case, path.stem, kind):
                    yield case, kind


def trace_case(catalog: Catalog, case: Case, kind: str) -> Trace:
    """A case's record on its way. Raises ConfigError where there is no such mapping."""
    mappings = mappings_of(catalog, case, kind)
    return traced(mappings, case.data["given"], {"shop": "shop", "channel": case.folder})


def mappings_of(catalog: Catalog, case: Case, kind: str) -> list[MappingFile]:
    """The mappings that share the work on a case. Raises ConfigError."""
    overlay = str(case.data.get("mapping") or "")
    if case.way == "channels":
        return catalog.channel(case.folder, kind, overlay).mappings
    return [catalog.destination(overlay or case.folder, kind).mapping]


def differences(expected: Any, found: Any, at: str = "") -> Iterator[str]:
    """Where a found value departs from an expected one, field by field.

    >>> list(differences({"a": 1, "b": ["x"]}, {"a": 2, "b": ["x"], "c": 3}))
    ['a: expected 1, found 2']
    """
    return (finding.text for finding in _differing(expected, found, at))


def _differing(expected: Any, found: Any, at: str = "") -> Iterator[Finding]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, inner in expected.items():
            here = f"{at}.{key}" if at else str(key)
            if key not in found and inner is not None:
                yield Finding(f"{here}: expected {_text(inner)}, found nothing", here, inner)
            else:
                yield from _differing(inner, found.get(key), here)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            told = f"{at}: expected {len(expected)} items, found {len(found)}: {_text(found)}"
            yield Finding(told, at, len(expected), len(found))
        for index, (inner, one) in enumerate(zip(expected, found, strict=False)):
            yield from _differing(inner, one, f"{at}[{index}]")
    elif type(expected) is not type(found) or expected != found:
        yield Finding(f"{at or 'all'}: expected {_text(expected)}, found {_text(found)}", at, expected, found)


def _kind(catalog: Catalog, way: str, folder: str, case: str) -> str:
    """The kind that a case's name begins with, else the only one of the folder, else order."""
    names = [n for n in catalog.names() if n.startswith(f"{way}/{folder}/")]
    kinds = sorted({catalog.mapping(n).kind for n in names})
    begun = [k for k in kinds if case == k or case.startswith((f"{k}-", f"{k}_"))]
    return begun[0] if begun else kinds[0] if len(kinds) == 1 else "order"


def _run(catalog: Catalog, case: Case, kind: str) -> Iterator[Finding]:
    data = case.data
    try:
        if case.way == "channels":
            translator = catalog.channel(case.folder, kind, str(data.get("mapping", "")))
            made = translator.translate(data["given"], tenant="default", shop="shop", channel=case.folder, now=_NOW)
            document = made.document or made.draft
            found = json.loads(dump_json(document)) if document is not None else None
            problems, ignored = made.problems, made.ignored
        else:
            rendering = catalog.destination(str(data.get("mapping") or case.folder), kind)
            found, problems = rendering.render(data["given"])
            ignored = ""
    except ConfigError as error:
        yield from (Finding(problem) for problem in error.problems)
        return
    findings = list(_judge(data, found, problems, ignored))
    if findings and problems and isinstance(data["given"], dict) and (told := error_of(data["given"])):
        yield Finding(f"given is the platform's answer to a failed call, not a record: {told}")
    trace = trace_case(catalog, case, kind) if findings else None
    for finding in findings:
        yield _with_rule(finding, trace) if trace is not None and finding.field else finding


def _with_rule(finding: Finding, trace: Trace) -> Finding:
    try:
        return replace(finding, rule=in_short(explain(trace, finding.field)))
    except UnknownField as unknown:
        return replace(finding, rule=f"{unknown.message}. {unknown.hint}")


def _judge(case: dict[str, Any], found: Any, problems: list[Problem], ignored: str) -> Iterator[Finding]:
    expected = sorted(str(code) for code in case.get("problems", []))
    codes = sorted(problem.code for problem in problems)
    if codes != expected:
        yield Finding(f"problems: expected {expected or 'none'}, found {codes or 'none'}")
        yield from (_problem(problem) for problem in problems)
    if ignored != case.get("ignored", ""):
        yield Finding(f"ignored: expected {_text(case.get('ignored', ''))}, found {_text(ignored)}")
    if "expect" in case and found is None and not (problems or ignored):
        yield Finding("no document")
    elif "expect" in case and found is None and case["expect"] is not None:
        yield Finding("expect: there is no document to compare with")
    elif "expect" in case:
        yield from _differing(case["expect"], found)


def _problem(problem: Problem) -> Finding:
    told = f"  {problem.code} {problem.rule}: found {problem.found}, expected {problem.expected}. {problem.hint}"
    label = problem.rule.partition(": ")[2]
    return Finding(told, label if problem.code.startswith("mapping.") and "." in label else "", found=problem.found)


def _meant(name: str | None, case: Case, stem: str, kind: str) -> bool:
    if not name:
        return True
    mapping = f"{case.folder}/{kind}"
    full = f"{case.way}/{case.folder}/cases/{stem}"
    known = (case.folder, mapping, f"{case.way}/{mapping}", full, full.partition("/")[2], stem)
    return name.removesuffix(".json") in (*known, f"{case.way}/{case.folder}")


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:197] + "..."
