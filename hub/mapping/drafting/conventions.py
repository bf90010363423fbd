"""What holds for a whole file: its currency, the unit of its amounts, the zone of its times; how sure, and why."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from canonical.money import minor_digits
from hub.mapping.drafting import looks as look
from hub.mapping.drafting.matching import SURE, Candidate
from hub.mapping.drafting.relations import Found, number

if TYPE_CHECKING:
    from hub.mapping.drafting.proposals import Proposal

_WHOLE = frozenset({"IDR", "TWD", "HUF", "COP"})
"""Currencies for which ISO has digits that nobody uses."""


def currency_of(found: list[Candidate], of_lines: list[Candidate], *, chinese: bool) -> tuple[Any, float, str]:
    """The currency, or the row that reads it; "TO DECIDE" where nothing says it."""
    for one in found[:1]:
        if one.confidence >= SURE and one.leaf.told:
            return {"path": one.text}, one.confidence, "; ".join(one.why)
    for one in of_lines[:1]:
        if one.confidence >= SURE and one.leaf.told:
            return str(one.leaf.told[0]), SURE, f"{one.text} of the lines says so"
    if chinese:
        return "CNY", 0.7, "the sample has Chinese text and no currency"
    return "CNY", 0.0, "TO DECIDE: nothing in the sample says which"


def unit_of(rows: Mapping[str, "Proposal"], found: Found, currency: Any) -> tuple[str, float, str]:
    """Fen or yuan: by the fields' names, else by whole numbers that are large."""
    chosen = [found[n][0] for n, p in rows.items() if p.target.as_ == "money" and p.row is not None and found[n]]
    if any({"fen", "cent", "cents"} & set(c.leaf.name.split("_")) for c in chosen):
        return "fen", 0.9, "the names say so"
    values = [v for c in chosen for v in c.leaf.told]
    numbers = [n for v in values if (n := number(v))]
    whole = all(isinstance(v, int) or (isinstance(v, str) and v.lstrip("-").isdecimal()) for v in values)
    used = {currency} if isinstance(currency, str) else {str(v) for c in found["currency"][:1] for v in c.leaf.told}
    if not numbers or not whole or any(code in _WHOLE or minor_digits(code) == 0 for code in used):
        return "major", 0.9, ""
    large = sum(abs(n) >= 100 for n in numbers) / len(numbers)
    if large >= 0.8:
        return "fen", 0.7, "all amounts are whole numbers, and large. TO DECIDE"
    return "major", 0.5, "all amounts are whole numbers. TO DECIDE: yuan or fen?"


def zone_of(rows: Mapping[str, "Proposal"], found: Found, *, chinese: bool) -> tuple[str, float, str]:
    """The zone of times that don't say it themselves."""
    times = [v for n, p in rows.items() if p.target.as_ == "time" and found.get(n) for v in found[n][0].leaf.told]
    names = [found[n][0].leaf.name for n, p in rows.items() if p.target.as_ == "time" and p.sure and found.get(n)]
    if names and all(name.endswith(("_gmt", "_utc")) for name in names):
        return "UTC", 0.9, "the names say so"
    if all(look.no_time(v) or look.has_offset(v) for v in times):
        return "UTC", 0.9, "its times say where they are meant"
    if chinese:
        return "Asia/Shanghai", 0.8, "the sample has Chinese text; its times have no offset"
    return "UTC", 0.4, "TO DECIDE: its times have no offset"
