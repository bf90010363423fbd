"""Cases beside the mappings: a record, and what must become of it. The same for authors, CI and the console.

    {"why": "...", "given": <one record>, "expect": {part of the document}, "problems": [codes], "ignored": "why"}

`expect` names only what matters: an object may have more fields than expected, a list must have as many items, single
values must be equal (amounts and times as text). `kind` ("refund") says which mapping is meant where the name of the
case does not begin with it; `mapping` ("taobao/outlet") names a shop's overlay. A file may hold a list of cases.

`python -m hub.mapping.cases [NAME] [--folder mappings]` runs them and ends with 1 if any fails.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from canonical.errors import ConfigError, HubError
from canonical.parsing import parse_json
from canonical.problem import Problem
from canonical.serialise import dump_json
from hub.mapping.catalog import Catalog

KEYS = frozenset({"why", "given", "expect", "problems", "ignored", "kind", "mapping"})
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_MOST = 12


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended. `differences`: one line each, the first that matter; none means that it passed."""

    mapping: str
    case: str
    file: str
    why: str = ""
    differences: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all came out as expected."""
        return not self.differences


def run_cases(catalog: Catalog, name: str | None = None) -> list[CaseResult]:
    """Run the cases beside the mappings of a loaded catalog.

    `name` narrows it: a channel or destination ("taobao"), a mapping ("taobao/refund", "channels/taobao/refund") or
    one case ("taobao/cases/presale").
    """
    results = []
    for way in ("channels", "destinations"):
        for path in sorted(catalog.folder.glob(f"{way}/*/cases/*.json")):
            for result in _run_file(catalog, way, path):
                if _meant(name, way, path, result.mapping):
                    results.append(result)  # noqa: PERF401  # reads as what it does
    return results


def differences(expected: Any, found: Any, at: str = "") -> Iterator[str]:
    """Where a found value departs from an expected one, field by field.

    >>> list(differences({"a": 1, "b": ["x"]}, {"a": 2, "b": ["x"], "c": 3}))
    ['a: expected 1, found 2']
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, inner in expected.items():
            here = f"{at}.{key}" if at else str(key)
            if key not in found and inner is not None:
                yield f"{here}: expected {_text(inner)}, found nothing"
            else:
                yield from differences(inner, found.get(key), here)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{at}: expected {len(expected)} items, found {len(found)}: {_text(found)}"
        for index, (inner, one) in enumerate(zip(expected, found, strict=False)):
            yield from differences(inner, one, f"{at}[{index}]")
    elif type(expected) is not type(found) or expected != found:
        yield f"{at or 'all'}: expected {_text(expected)}, found {_text(found)}"


def _run_file(catalog: Catalog, way: str, path: Path) -> Iterator[CaseResult]:
    folder = path.parent.parent.name
    shown = path.relative_to(catalog.folder.parent).as_posix()
    try:
        data = parse_json(path.read_bytes())
    except HubError as error:
        yield CaseResult(f"{folder}/?", path.stem, shown, "", [f"not JSON: {error.message}"])
        return
    several = isinstance(data, list)
    for index, case in enumerate(data if several else [data]):
        name = f"{path.stem}[{index}]" if several else path.stem
        if not isinstance(case, dict) or "given" not in case or not KEYS.issuperset(case):
            wrong = sorted(set(case) - KEYS) if isinstance(case, dict) else []
            told = f"unknown keys: {', '.join(wrong)}" if wrong else "a case is an object with `given`"
            yield CaseResult(f"{folder}/?", name, shown, "", [told])
            continue
        kind = str(case.get("kind") or _kind(catalog, way, folder, path.stem))
        found = list(_run(catalog, way, folder, kind, case))
        yield CaseResult(f"{folder}/{kind}", name, shown, str(case.get("why", "")), found[:_MOST])


def _kind(catalog: Catalog, way: str, folder: str, case: str) -> str:
    """The kind that a case's name begins with, else the only one of the folder, else order."""
    names = [n for n in catalog.names() if n.startswith(f"{way}/{folder}/")]
    kinds = sorted({catalog.mapping(n).kind for n in names})
    begun = [k for k in kinds if case == k or case.startswith((f"{k}-", f"{k}_"))]
    return begun[0] if begun else kinds[0] if len(kinds) == 1 else "order"


def _run(catalog: Catalog, way: str, folder: str, kind: str, case: dict[str, Any]) -> Iterator[str]:
    try:
        if way == "channels":
            translator = catalog.channel(folder, kind, str(case.get("mapping", "")))
            result = translator.translate(case["given"], tenant="default", shop="shop", channel=folder, now=_NOW)
            document = result.document or result.draft
            found = json.loads(dump_json(document)) if document is not None else None
            problems, ignored = result.problems, result.ignored
        else:
            rendering = catalog.destination(str(case.get("mapping") or folder), kind)
            found, problems = rendering.render(case["given"])
            ignored = ""
    except ConfigError as error:
        yield from error.problems
        return
    yield from _judge(case, found, problems, ignored)


def _judge(case: dict[str, Any], found: Any, problems: list[Problem], ignored: str) -> Iterator[str]:
    expected = sorted(str(code) for code in case.get("problems", []))
    codes = sorted(problem.code for problem in problems)
    if codes != expected:
        yield f"problems: expected {expected or 'none'}, found {codes or 'none'}"
        for problem in problems:
            yield f"  {problem.code} {problem.rule}: found {problem.found}, expected {problem.expected}. {problem.hint}"
    if ignored != case.get("ignored", ""):
        yield f"ignored: expected {_text(case.get('ignored', ''))}, found {_text(ignored)}"
    if "expect" in case and found is None and not (problems or ignored):
        yield "no document"
    elif "expect" in case and found is None and case["expect"] is not None:
        yield "expect: there is no document to compare with"
    elif "expect" in case:
        yield from differences(case["expect"], found)


def _meant(name: str | None, way: str, path: Path, mapping: str) -> bool:
    if not name:
        return True
    full = f"{way}/{path.parent.parent.name}/cases/{path.stem}"
    known = (mapping.partition("/")[0], mapping, f"{way}/{mapping}", full, full.partition("/")[2], path.stem)
    return name.removesuffix(".json") in known


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else text[:197] + "..."


def main(arguments: list[str]) -> int:
    """Run cases, print failures, end with 1 if there are any. Files with problems are told and left out."""
    folder = Path(arguments.pop(arguments.index("--folder") + 1)) if "--folder" in arguments else Path("mappings")
    name = next((a for a in arguments if not a.startswith("-")), None)
    catalog = Catalog(folder.resolve())
    code = (name or "").removeprefix("channels/").removeprefix("destinations/").partition("/")[0]
    load = [p for p in catalog.load_what_can_be() if f"/{code}/" in p or not code or "/tables/" in p]
    results = run_cases(catalog, name)
    failed = [r for r in results if not r.passed]
    lines = list(load)
    for result in failed:
        lines.append(f"FAIL {result.mapping} {result.case} ({result.file})" + (f": {result.why}" if result.why else ""))
        lines += [f"     {line}" for line in result.differences]
    lines.append(f"{len(results) - len(failed)} passed, {len(failed)} failed, {len(load)} problems in mapping files")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if failed or load else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
