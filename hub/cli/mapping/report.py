"""How a report of differences looks to people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub.cli.output import out, table

if TYPE_CHECKING:
    from hub.mapping.difference import Report


def print_report(report: "Report") -> None:
    """A report for people."""
    rows = [
        ("unchanged", report.unchanged),
        ("changed", report.changed),
        ("newly failing", report.failing),
        ("newly mended", report.mended),
        ("still failing", report.still_failing),
        *([("not readable", report.unreadable)] if report.unreadable else []),
    ]
    for what, count in rows:
        out.print(f"  {what:<14} {count:>8}", style="red" if what == "newly failing" and count else None)
    letters = report.letters
    out.print(f"  open dead letters: {letters['open']}, of which the new version mends {letters['mended']}")
    data = report.as_dict()
    if data["fields"]:
        lines = [
            (path, tally["count"], f"{sample['old']} -> {sample['new']}", _where(sample))
            for path, tally in data["fields"].items()
            for sample in tally["samples"][:1]
        ]
        table(("changed field", "documents", "for example", "in"), lines)
    for key, title in (("problems", "new problem"), ("solved", "solved problem")):
        if data[key]:
            lines = [
                (problem, tally["count"], f"found {sample['found']}, expected {sample['expected']}", _where(sample))
                for problem, tally in data[key].items()
                for sample in tally["samples"][:1]
            ]
            table((title, "messages", "for example", "in"), lines)


def _where(sample: Mapping[str, Any]) -> str:
    of = next((key for key in ("message", "document", "delivery") if key in sample), "")
    return f"{sample['shop']} {sample['key']} ({of} {sample[of]})" if of else ""
