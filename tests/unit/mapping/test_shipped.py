"""The mappings that come with the hub: all load, all their cases hold."""

import copy
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.mapping.cases import run_cases
from hub.mapping.catalog import Catalog

FOLDER = Path(__file__).resolve().parents[3] / "mappings"


@pytest.fixture(scope="module")
def shipped():
    catalog = Catalog(FOLDER)
    catalog.load()
    return catalog


def test_every_case_holds(shipped):
    results = run_cases(shipped)
    failed = [(r.file, r.case, r.differences) for r in results if not r.passed]
    assert failed == []
    assert results


def test_every_mapping_has_cases(shipped):
    with_cases = {result.mapping.partition("/")[0] for result in run_cases(shipped)}
    assert {name.split("/")[1] for name in shipped.names()} <= with_cases


JUNK: list[Any] = [
    None, "", "x", "0", "-1", "1.234567", "0001-01-01 00:00:00", 0, -5, 10**20, 1.5, 1e300, True, [], {}, [None], ["x"],
    [[]], {"x": 1}, [{}], [{"x": None}], "9" * 50, "13800000000",
]  # fmt: skip


def broken(value: Any, chance: random.Random) -> Any:
    """The same record with one value in it replaced, taken out or repeated."""
    value = copy.deepcopy(value)
    inner, steps = value, chance.randint(1, 6)
    for _ in range(steps):
        if not isinstance(inner, (dict, list)) or not inner:
            break
        key: Any = chance.choice(list(inner)) if isinstance(inner, dict) else chance.randrange(len(inner))
        if chance.random() < 0.4 or not isinstance(inner[key], (dict, list)):
            inner[key] = chance.choice(JUNK)
            break
        inner = inner[key]
    return value


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("channels/*/cases/*.json")), ids=lambda p: f"{p.parts[-3]}-{p.stem}"
)
def test_no_record_like_a_real_one_raises(shipped, path):
    chance = random.Random(path.stem)
    code, now = path.parts[-3], datetime(2026, 1, 1, tzinfo=UTC)
    kinds = {shipped.mapping(n).kind for n in shipped.names() if n.startswith(f"channels/{code}/")}
    cases = json.loads(path.read_text(encoding="utf-8"))
    for case in cases if isinstance(cases, list) else [cases]:
        for _ in range(20):
            record = broken(broken(case["given"], chance), chance)
            for kind in kinds:
                translator = shipped.channel(code, kind)
                result = translator.translate(record, tenant="t", shop="s", channel=code, now=now)
                assert bool(result.document) + bool(result.problems) + bool(result.ignored) == 1


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("destinations/*/cases/*.json")), ids=lambda p: f"{p.parts[-3]}-{p.stem}"
)
def test_no_document_like_a_real_one_raises(shipped, path):
    chance = random.Random(path.stem)
    cases = json.loads(path.read_text(encoding="utf-8"))
    renderings = [
        shipped.destination(n.partition("/")[2]) for n in shipped.names() if n.split("/")[1] == path.parts[-3]
    ]
    for case in cases if isinstance(cases, list) else [cases]:
        for _ in range(20):
            document = broken(broken(case["given"], chance), chance)
            for rendering in renderings:
                body, problems = rendering.render(document)
                assert isinstance(body, dict)
                assert all(problem.rule.startswith(rendering.mapping.name) for problem in problems)
