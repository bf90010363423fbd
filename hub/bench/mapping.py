"""`hub bench mapping`: what a compiled mapping costs, beside three other ways to the same document.

An order of Taobao's shape and one of Shopify's (three lines each, some eighty mapped fields) go through the mappings
that come with the hub. Beside that, in the same rounds: the same rows with every expression evaluated by the `jmespath`
library's own `search`, the same with one interpreter that is kept, and the same mapping written by hand. All four give
the same draft, which is checked first. Figures are CPU time; ratios are taken inside each round.
"""

import gc
import importlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from statistics import median
from typing import Any

from jmespath.parser import ParsedResult
from jmespath.visitor import Options, TreeInterpreter

from canonical.serialise import dump_json
from hub.mapping.budget import MESSAGE
from hub.mapping.catalog import Catalog
from hub.mapping.run import Run
from hub.mapping.runtime import FUNCTIONS
from hub.mapping.translation import Compiled
from hub.mapping.walker import Walker

GOALS = {"taobao": (15.0, 6.0, 1.5), "shopify": (12.0, 5.0, 2.0)}
"""Times faster than `search` and than the interpreter, at least; times of the handwritten mapping, at most."""
BESIDE = 2.0
"""Validation, and serialisation, at most this many times the mapping."""
_OWN = {"tenant": "default", "shop": "bench"}

Work = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of a ratio's rounds, and their spread."""

    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Result:
    """One platform's figures. `microseconds`: CPU time of each way, the least of the rounds."""

    platform: str
    ratios: dict[str, Figure]
    microseconds: dict[str, float]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: each ratio's median, then the details."""
        spread = {name: [round(f.least, 2), round(f.most, 2)] for name, f in self.ratios.items()}
        times = {name: round(value, 1) for name, value in self.microseconds.items()}
        return {name: round(f.median, 2) for name, f in self.ratios.items()} | {"spread": spread, "microseconds": times}

    def goals(self) -> list[tuple[str, float, str, bool]]:
        """Each ratio: its name, its median, the goal, and whether it is met."""
        search, interpreter, handwritten = GOALS[self.platform]
        goals = {
            "times_faster_than_search": (search, "at least"),
            "times_faster_than_interpreter": (interpreter, "at least"),
            "times_of_handwritten": (handwritten, "at most"),
            "validation_times_of_mapping": (BESIDE, "at most"),
            "serialisation_times_of_mapping": (BESIDE, "at most"),
        }
        told = []
        for name, (goal, sense) in goals.items():
            found = self.ratios[name].median
            told.append((name, found, f"{sense} {goal:g}", found >= goal if sense == "at least" else found <= goal))
        return told


class _Searched(Walker):
    """Evaluates as jmespath.compile(text).search(data) does: with a new interpreter each time."""

    def __init__(self) -> None:
        super().__init__(MESSAGE)
        self._parsed: dict[int, ParsedResult] = {}

    def evaluate(self, tree: dict[str, Any], data: Any, *, heavy: bool) -> Any:
        parsed = self._parsed.get(id(tree))
        if parsed is None:
            parsed = self._parsed[id(tree)] = ParsedResult("", tree)  # type: ignore[arg-type]  # the stubs call it a TypedDict
        return parsed.search(data)


class _Interpreted(Walker):
    """Evaluates with one interpreter of the library, kept for all searches."""

    def __init__(self) -> None:
        super().__init__(MESSAGE)
        self._kept: Any = TreeInterpreter(Options(custom_functions=FUNCTIONS))

    def evaluate(self, tree: dict[str, Any], data: Any, *, heavy: bool) -> Any:
        return self._kept.visit(tree, data)


def measure(folder: Path, rounds: int, tell: Callable[[str], None]) -> list[Result]:
    """Measure both platforms with the mappings of a folder. `tell` hears of each round."""
    catalog = Catalog(folder)
    catalog.load()
    results = []
    for platform in GOALS:
        ways = ways_of(catalog, platform)
        tell(f"{platform}: {rounds} rounds")
        results.append(_measured(platform, ways, rounds))
    return results


def ways_of(catalog: Catalog, platform: str) -> dict[str, Work]:
    """What is measured, by name. Raises ValueError where two ways give different drafts."""
    record = json.loads(resources.files("hub.bench").joinpath("orders", f"{platform}.json").read_text("utf-8"))
    compiled = Compiled(catalog.mapping(f"channels/{platform}/order"))
    by_hand = importlib.import_module(f"hub.bench.{platform}").draft
    searched, interpreted = _Searched(), _Interpreted()

    def rows(walker: Walker) -> Any:
        run = Run(compiled.mapping, record, walker)
        return compiled.interpreted(run)

    document = compiled.translate(record, {**_OWN, "channel": platform}).document
    if document is None:
        raise ValueError(f"the order of {platform}'s shape has problems with this mapping")
    draft = {**_OWN, "channel": platform, **_draft(compiled, record)}
    model = type(document)
    ways: dict[str, Work] = {
        "mapping": lambda: compiled.draft(record),
        "search": lambda: rows(searched),
        "interpreter": lambda: rows(interpreted),
        "handwritten": lambda: by_hand(record),
        "validation": lambda: model.model_validate(draft),
        "serialisation": lambda: dump_json(document),
    }
    for name in ("search", "interpreter", "handwritten"):
        if ways[name]() != compiled.draft(record):
            raise ValueError(f"{platform}: {name} gives another draft than the mapping")
    return ways


def _draft(compiled: Compiled, record: Any) -> dict[str, Any]:
    draft = compiled.draft(record)
    if not isinstance(draft, dict):
        raise ValueError(f"{compiled.mapping.name}: the order is not mapped without the interpreter")
    return draft


def _measured(platform: str, ways: dict[str, Work], rounds: int) -> Result:
    times: dict[str, list[float]] = {name: [] for name in ways}
    repeats = {name: _repeats(work) for name, work in ways.items()}
    for _ in range(rounds):
        for name, work in ways.items():
            times[name].append(_cpu(work, repeats[name]))

    def ratio(over: str, under: str) -> Figure:
        found = [a / b for a, b in zip(times[over], times[under], strict=True)]
        return Figure(median(found), min(found), max(found))

    ratios = {
        "times_faster_than_search": ratio("search", "mapping"),
        "times_faster_than_interpreter": ratio("interpreter", "mapping"),
        "times_of_handwritten": ratio("mapping", "handwritten"),
        "validation_times_of_mapping": ratio("validation", "mapping"),
        "serialisation_times_of_mapping": ratio("serialisation", "mapping"),
    }
    return Result(platform, ratios, {name: min(found) * 1e6 for name, found in times.items()})


def _repeats(work: Work) -> int:
    """How often in a round: some twenty milliseconds, so that the clock's steps do not show."""
    work()
    return max(1, int(0.02 / max(_cpu(work, 5), 1e-6)))


def _cpu(work: Work, repeats: int) -> float:
    """Seconds of CPU time for one turn."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        started = time.process_time()
        for _ in range(repeats):
            work()
        return (time.process_time() - started) / repeats
    finally:
        if collecting:
            gc.enable()
