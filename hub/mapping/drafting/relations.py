"""What holds among the values of a record: lines that multiply up, totals that add up, times in order. A guess that
agrees with its neighbours is surer; one that contradicts them is not."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

from hub.mapping.drafting import looks as look
from hub.mapping.drafting.matching import Candidate
from hub.mapping.functions import Unfit, to_decimal

Found = dict[str, list[Candidate]]
"""Candidates by field, the likeliest first."""
_ORDER = ("placed_at", "paid_at", "shipped_at", "completed_at")
_CENT = Decimal("0.01")
_SHARED = (
    frozenset({"state", "payment", "fulfilment"}),
    frozenset({"totals.payable", "totals.paid"}),
    frozenset({"completed_at", "cancelled_at"}),
    frozenset({"requested_at", "revision"}),
)
"""Fields that may come from one place. The others compete for theirs."""


@dataclass(slots=True)
class Agreement:
    """What was found to hold. `goods`: sum of price times quantity of each record, where lines say it."""

    goods: list[Decimal | None] = field(default_factory=list)
    totals: dict[str, Candidate | None] = field(default_factory=dict)
    """The places whose values add up; None where nothing was needed for it. Empty where none do."""


def compete(found: Found) -> None:
    """A place that serves one field better is worth less to the others."""
    for _ in range(60):
        taken: dict[tuple[str, ...], str] = {}
        loser: tuple[str, Candidate, str] | None = None
        for name in sorted(found, key=lambda n: -found[n][0].confidence if found[n] else 1):
            if not found[name]:
                continue
            first = found[name][0]
            other = taken.setdefault(first.leaf.keys, name)
            if other != name and not any({name, other} <= pair for pair in _SHARED) and "revision" not in (name, other):
                loser = (name, first, other)
                break
        if loser is None:
            return
        loser[1].moved(-0.4, f"{loser[2]} fits better")
        found[loser[0]].sort(key=lambda c: -c.confidence)


def agree_on_lines(found: Found) -> None:
    """Quantity times price less discount is the amount: the first combination for which it holds on every line."""
    best: tuple[float, tuple[Candidate, ...]] = (0.0, ())
    discounts: list[Candidate | None] = [None, *found.get("lines.discount", [])[:3]]
    quantities, prices = found.get("lines.quantity", [])[:2], found.get("lines.unit_price", [])[:3]
    for quantity, price, amount, discount in product(quantities, prices, found.get("lines.amount", [])[:4], discounts):
        chosen = tuple(c for c in (quantity, price, amount, discount) if c is not None)
        if len({c.leaf.keys for c in chosen}) < len(chosen) or not _multiplies(quantity, price, amount, discount):
            continue
        score = sum(c.confidence for c in chosen) + (0 if discount else 0.5)
        if score > best[0]:
            best = (score, chosen)
    for one in best[1]:
        one.moved(0.15, "quantity x price - discount = amount")
    for one in found.get("lines.discount", []):
        if one not in best[1] and any(number(value) for value in one.leaf.told):
            one.moved(-0.35, "quantity x price less this is not the amount")
    for name in ("lines.quantity", "lines.unit_price", "lines.amount", "lines.discount"):
        found.get(name, []).sort(key=lambda c: -c.confidence)


def agree_on_totals(found: Found, counts: Sequence[int]) -> Agreement:
    """Goods less discount plus shipping and tax is what is payable. `counts`: lines of each record."""
    result = Agreement(_goods(found, counts))
    known = any(goods is not None for goods in result.goods)
    options = {n: found.get(f"totals.{n}", []) for n in ("goods", "discount", "shipping", "tax", "payable")}
    computed: list[Candidate | None] = [None] if known else []
    goods: list[Candidate | None] = [*options["goods"][:3], *computed]
    best = 0.0
    for chosen in product(
        goods,
        [*options["discount"][:4], None],
        [*options["shipping"][:3], None],
        [*options["tax"][:2], None],
        options["payable"][:5],
    ):
        named = [c for c in chosen if c is not None]
        if len({c.leaf.keys for c in named}) < len(named) or not _adds_up(chosen, result.goods):
            continue
        score = sum(c.confidence for c in named) + 0.32 * (5 - len(named))
        if score > best:
            best, result.totals = score, dict(zip(options, chosen, strict=True))
    for payable in options["payable"]:
        dues = [(number(value), sum_) for value, sum_ in zip(payable.leaf.values, result.goods, strict=False)]
        if dues and all(due == 0 and sum_ for due, sum_ in dues):
            payable.moved(-0.4, "nothing, though there are goods")
    options["payable"].sort(key=lambda c: -c.confidence)
    for name, one in result.totals.items():
        if one is not None:
            one.moved(0.15, "the totals add up")
            found[f"totals.{name}"].sort(key=lambda c: -c.confidence)
    return result


def agree_on_times(found: Found) -> None:
    """Placed, paid, shipped, completed: none before the one before it."""
    for earlier, later in pairwise(_ORDER):
        first = found.get(earlier, [])[:1]
        for candidate in found.get(later, []):
            pairs = [
                (look.time_of(a), look.time_of(b))
                for c in first
                for a, b in zip(c.leaf.values, candidate.leaf.values, strict=False)
            ]
            both = [(a, b) for a, b in pairs if a is not None and b is not None]
            if any(b < a for a, b in both):
                candidate.moved(-0.3, f"before {earlier}")
            elif both:
                candidate.moved(0.03, f"not before {earlier}")
        found.get(later, []).sort(key=lambda c: -c.confidence)


def agree_on_paid(found: Found) -> None:
    """What was paid is not nothing where there is a time of payment and something to pay."""
    times, payable = found.get("paid_at", [])[:1], found.get("totals.payable", [])[:1]
    if not times or not payable:
        return
    for candidate in found.get("totals.paid", []):
        for at, due, paid in zip(times[0].leaf.values, payable[0].leaf.values, candidate.leaf.values, strict=False):
            if look.time_of(at) is not None and number(due) and number(paid) == 0:
                candidate.moved(-0.4, "nothing, though there is a time of payment")
                break
    found.get("totals.paid", []).sort(key=lambda c: -c.confidence)


def agree_on_numbers(found: Found, counts: Sequence[int]) -> None:
    """A line's number differs from line to line, and is not the order's."""
    for candidate in found.get("lines.line_no", []):
        groups = list(_grouped(candidate.leaf.values, counts))
        if any(len(set(map(str, group))) < len(group) for group in groups if group):
            candidate.moved(-0.3, "the same on several lines")
        orders = found.get("order_no", [])[:1]
        numbers = [str(v) for c in orders for v in c.leaf.values]
        same = [number in map(str, group) for number, group in zip(numbers, groups, strict=False)]
        if same and all(same):
            several = any(count > 1 for count in counts)
            candidate.moved(-0.5 if several else -0.1, "the order's own number")
    found.get("lines.line_no", []).sort(key=lambda c: -c.confidence)


def number(value: Any) -> Decimal | None:
    """A value as an exact number, None where it is none."""
    try:
        return to_decimal(value)
    except Unfit:
        return None


def _multiplies(quantity: Candidate, price: Candidate, amount: Candidate, discount: Candidate | None) -> bool:
    told = 0
    less = discount.leaf.values if discount else [None] * len(amount.leaf.values)
    for q, p, a, d in zip(quantity.leaf.values, price.leaf.values, amount.leaf.values, less, strict=False):
        numbers = [number(v) for v in (q, p, a)]
        if any(n is None for n in numbers):
            continue
        count, each, whole = (Decimal(n or 0) for n in numbers)
        if abs(count * each - (number(d) or 0) - whole) > _CENT * max(count, Decimal(1)):
            return False
        told += bool(whole)
    return told > 0


def _goods(found: Mapping[str, list[Candidate]], counts: Sequence[int]) -> list[Decimal | None]:
    quantity, price = (found.get(f"lines.{name}", [])[:1] for name in ("quantity", "unit_price"))
    if not quantity or not price:
        return [None] * len(counts)
    values = [
        None if (q := number(a)) is None or (p := number(b)) is None else q * p
        for a, b in zip(quantity[0].leaf.values, price[0].leaf.values, strict=False)
    ]
    return [
        None if not group or any(v is None for v in group) else sum((v for v in group if v is not None), Decimal(0))
        for group in _grouped(values, counts)
    ]


def _adds_up(chosen: Sequence[Candidate | None], goods: Sequence[Decimal | None]) -> bool:
    told = 0
    for at, computed in enumerate(goods):
        values: list[Decimal | None] = [None if c is None else number(_value(c, at)) for c in chosen]
        given, whole = values[0], values[4]
        if whole is None:
            continue
        if given is not None and computed is not None and abs(given - computed) > _CENT:
            return False
        sum_ = given if given is not None else computed
        if sum_ is None:
            return False
        discount, shipping, tax = (Decimal(value or 0) for value in values[1:4])
        if abs(sum_ - abs(discount) + shipping + tax - whole) > _CENT:
            return False
        told += bool(whole)
    return told > 0


def _value(candidate: Candidate, at: int) -> Any:
    return candidate.leaf.values[at] if at < len(candidate.leaf.values) else None


def _grouped(values: Sequence[Any], counts: Iterable[int]) -> Iterator[list[Any]]:
    start = 0
    for count in counts:
        yield list(values[start : start + count])
        start += count
