"""A row for each canonical field: the likeliest place, made into a row that fits what the sample holds."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canonical import DOCUMENTS
from hub.mapping.drafting import looks as look
from hub.mapping.drafting.matching import DOUBTFUL, SURE, Candidate, candidates
from hub.mapping.drafting.relations import (
    Agreement,
    Found,
    agree_on_lines,
    agree_on_numbers,
    agree_on_paid,
    agree_on_times,
    agree_on_totals,
    compete,
    number,
)
from hub.mapping.drafting.samples import leaves_of, lines_in
from hub.mapping.drafting.vocabulary import meaning
from hub.mapping.functions import Unfit, as_word
from hub.mapping.reading import HUB_FIELDS
from hub.mapping.shape import Field, fields_in, fields_of
from hub.masking import is_sensitive

MOST_WORDS = 25
_LEFT_OUT = frozenset({"payments", "discounts", "holds", "presale", "invoice", "extra"})
"""Lists and parts that need a person: they are named in the draft, not drafted."""
_FROM_STATE = ("payment", "fulfilment")
_BY_TIMES = {
    "state": {"cancelled_at": "cancelled", "completed_at": "completed"},
    "payment": {"paid_at": "paid"},
    "fulfilment": {"shipped_at": "shipped"},
}
_CONSTANTS = {"state": "open", "payment": "unpaid", "fulfilment": "unshipped"}


@dataclass(slots=True)
class Proposal:
    """What is proposed for one field. `row` is None where nothing was found; `sure` decides between row and comment."""

    field: str
    target: Field
    row: Any = None
    confidence: float = 0.0
    why: str = ""
    alternatives: list[Candidate] = dataclasses.field(default_factory=list)
    words: list[str] = dataclasses.field(default_factory=list)
    table: str = ""
    required: bool = False
    refused: str = ""
    """Why a trial on the sample spoke against the row."""

    @property
    def sure(self) -> bool:
        """Whether it becomes a row of the draft."""
        return self.row is not None and not self.refused and (self.required or self.confidence >= SURE)


@dataclass(slots=True)
class Proposals:
    """All of a draft, before it is written."""

    kind: str
    rows: dict[str, Proposal]
    lines: str
    chinese: bool = False
    unit: tuple[str, float, str] = ("major", 0.9, "")
    zone: tuple[str, float, str] = ("UTC", 0.9, "")
    currency: tuple[Any, float, str] = ("CNY", 0.0, "")


def propose(kind: str, records: Sequence[Mapping[str, Any]]) -> Proposals:
    """Propose a row for every field of a kind of document, from records of one shape."""
    lines, items = lines_in(records, kind)
    prefix = tuple(lines.replace("[].node", "").split(".")) if lines else ()
    leaves = [leaf for leaf in leaves_of(records) if not prefix or _bare(leaf.keys)[: len(prefix)] != prefix]
    flat = [item for group in items for item in group]
    inner = leaves_of(flat)
    targets = targets_of(kind)
    found: Found = {
        name: candidates(kind, name, target, inner if name.startswith("lines.") else leaves)
        for name, target in targets.items()
    }
    currency = Field("currency", "scalar", "text")
    found["currency"] = candidates(kind, "currency", currency, leaves)
    of_lines = candidates(kind, "currency", currency, inner)
    found["revision"] = candidates(kind, "revision", Field("revision", "scalar", "time"), leaves)
    counts = [len(group) for group in items]
    agree_on_times(found)
    agree_on_numbers(found, counts)
    agree_on_lines(found)
    compete({name: c for name, c in found.items() if name.startswith("lines.")})
    agreement = agree_on_totals(found, counts) if kind == "order" else Agreement()
    agree_on_paid(found)
    compete({name: c for name, c in found.items() if not name.startswith("lines.") and name != "currency"})
    rows = {name: _proposal(name, target, found[name]) for name, target in targets.items()}
    rows["revision"] = _proposal(
        "revision", Field("revision", "scalar", "time", nullable=False, required=True), found["revision"]
    )
    everything = [v for leaf in [*leaves, *inner] for v in leaf.told]
    result = Proposals(kind, rows, lines, chinese=any(look.is_chinese(v) for v in everything))
    result.currency = _currency(found["currency"], of_lines, chinese=result.chinese)
    result.unit = _unit(rows, found, str(result.currency[0]))
    result.zone = _zone(rows, found, chinese=result.chinese)
    _fill(result, found, agreement)
    return result


def targets_of(kind: str) -> dict[str, Field]:
    """The fields for which rows are proposed, by name: order_no, totals.paid, lines.sku."""
    result: dict[str, Field] = {}
    for name, target in fields_of(DOCUMENTS[kind]).items():
        if name in HUB_FIELDS or name in _LEFT_OUT or target.computed or name in ("revision", "currency"):
            continue
        inside = fields_in(target)
        if inside is None:
            result[name] = target
            continue
        for inner, one in inside.items():
            if not one.computed and inner != "extra" and one.form == "scalar":
                result[f"{name}.{inner}"] = one
    return result


def _proposal(name: str, target: Field, found: list[Candidate]) -> Proposal:
    result = Proposal(name, target, required=target.required and not target.nullable)
    good = [c for c in found if c.confidence >= DOUBTFUL]
    if not good:
        return result
    best = good[0]
    result.alternatives = good[1:4]
    result.confidence, result.why = best.confidence, "; ".join(dict.fromkeys(best.why))
    row: dict[str, Any] = {"path": best.text}
    if target.words:
        _worded(result, best, row)
        if not result.words:
            return Proposal(name, target, required=result.required)
    elif target.as_ == "time":
        row["absent"] = _unique([v for v in best.leaf.told if look.no_time(v)])
    elif target.as_ == "text" and any(v == "" for v in best.leaf.values):
        row["absent"] = [""]
    elif target.as_ == "list" and any(isinstance(v, str) for v in best.leaf.told):
        row["as"] = "words"
    row = {key: value for key, value in row.items() if value != []}
    result.row = row["path"] if set(row) == {"path"} else row
    return result


def _worded(result: Proposal, best: Candidate, row: dict[str, Any]) -> None:
    """A field of few words goes through a table."""
    values = [v for v in best.leaf.values if v is not None and v != ""]
    words = {w for v in values if (w := _word(v)) is not None}
    if len(words) > MOST_WORDS or is_sensitive(best.leaf.name):
        return
    result.words = sorted(words)
    result.table = result.field.replace("lines.", "line_").replace(".", "_")
    row["table"] = result.table
    if any(v == "" for v in best.leaf.values):
        row["absent"] = [""]


def _fill(proposals: Proposals, found: Found, agreement: Agreement) -> None:
    """What the lines, the totals and the states say of each other."""
    rows = proposals.rows
    if proposals.kind == "order":
        _fill_states(rows)
        _fill_totals(proposals, agreement)
    if "lines.line_no" in rows and rows["lines.line_no"].confidence < SURE:
        _fill_line_no(rows)
    if "lines.amount" in rows:
        _fill_amount(rows)
    if rows["revision"].row is None:
        placed = rows.get("placed_at") or rows.get("requested_at")
        if placed is not None and placed.row is not None:
            rows["revision"].row, rows["revision"].confidence = placed.row, 0.4
            rows["revision"].why = "no field says when it changed: the time of its beginning. TO DECIDE"
    if "receiver.masked" in rows:
        _fill_receiver(rows, found, chinese=proposals.chinese)
    for proposal in rows.values():
        if proposal.required and proposal.row is None:
            proposal.row, proposal.why = _constant(proposal), "TO DECIDE: nothing in the sample looks like it"
        elif proposal.required and proposal.confidence < SURE and "TO DECIDE" not in proposal.why:
            proposal.why += ". TO DECIDE"


def _fill_states(rows: dict[str, Proposal]) -> None:
    """State, payment and fulfilment must be said: by each other's words, else by what has a time."""
    state = rows["state"]
    for name in _FROM_STATE:
        own = rows[name]
        if own.row is None and state.confidence >= SURE:
            own.row = {**state.row, "table": name}
            own.words, own.table, own.confidence = state.words, name, 0.5
            own.why = "no field of its own: read from the order's state"
    for name, by_time in _BY_TIMES.items():
        own, known = rows[name], [n for n in by_time if rows[n].sure]
        if (
            known
            and (own.row is None or not any(meaning(f"order.{name}", word) for word in own.words))
            and own.confidence < SURE
        ):
            branches = [{"if": _is_there(rows[n]), "value": by_time[n]} for n in known]
            own.row = {"when": [*branches, {"value": _CONSTANTS[name]}]}
            own.words, own.table, own.confidence = [], "", 0.4
            own.why = f"no word of its own: by {' and '.join(known)}. TO DECIDE"


def _is_there(time: Proposal) -> str:
    """The condition that a time is there."""
    path = _path(time)
    zeros = [] if isinstance(time.row, str) else time.row.get("absent", [])
    return " && ".join([path, *(f"to_string({path}) != '{zero}'" for zero in zeros)])


def _fill_totals(proposals: Proposals, agreement: Agreement) -> None:
    rows, major = proposals.rows, {} if proposals.unit[0] == "major" else {"unit": "major"}
    goods, payable = rows["totals.goods"], rows["totals.payable"]
    said = any(g is not None for g in agreement.goods)
    if said and (not goods.sure or (agreement.totals and agreement.totals["goods"] is None)):
        goods.row = {"from": "document", "each": "lines", "path": "unit_price", "times": "quantity", **major}
        goods.confidence, goods.why = 0.8, "the sum of the lines"
    for name in ("discount", "shipping", "tax", "other"):
        row = rows[f"totals.{name}"]
        if agreement.totals and agreement.totals.get(name) is None:
            row.row, row.confidence, row.why = {"value": "0"}, 0.6, "the totals of the sample add up without it"
        elif name in ("tax", "other") and row.row is None:
            row.row, row.confidence, row.why = {"value": "0"}, SURE, f"nothing in the sample speaks of {name}"
    if not agreement.totals and payable.sure and goods.sure:
        plus = [f"totals.{name}" for name in ("shipping", "tax", "other")]
        rows["totals.discount"].row = {
            "from": "document",
            "path": "totals.goods",
            "plus": plus,
            "minus": "totals.payable",
            **major,
        }
        rows["totals.discount"].confidence = SURE
        rows["totals.discount"].why = "no field makes the totals add up: what is left. TO DECIDE"
    if rows["totals.tax"].row == {"value": "0"} and not rows["lines.tax"].sure:
        rows["lines.tax"].row, rows["lines.tax"].confidence = {"value": "0"}, SURE
        rows["lines.tax"].why = "as the order's"
    _fill_paid(rows)


def _fill_paid(rows: dict[str, Proposal]) -> None:
    paid, payable, at = rows["totals.paid"], rows["totals.payable"], rows["paid_at"]
    if paid.sure or not payable.sure or not at.sure:
        return
    condition = _is_there(at)
    row = {"path": payable.row} if isinstance(payable.row, str) else dict(payable.row)
    paid.row, paid.confidence = {"if": condition, **row}, SURE
    paid.why = "what is payable, once there is a time of payment"


def _fill_line_no(rows: dict[str, Proposal]) -> None:
    for name in ("lines.variant_id", "lines.sku", "lines.item_id"):
        other = rows.get(name)
        if other is not None and other.sure:
            path = other.row if isinstance(other.row, str) else other.row["path"]
            own = rows["lines.line_no"]
            own.row, own.confidence = {"path": path, "distinct": True}, SURE
            own.why = f"no number of its own: that of {name.partition('.')[2]}"
            return


def _fill_amount(rows: dict[str, Proposal]) -> None:
    amount, price, quantity = (rows.get(f"lines.{n}") for n in ("amount", "unit_price", "quantity"))
    if amount is None or price is None or quantity is None or amount.sure or not (price.sure and quantity.sure):
        return
    discount = rows.get("lines.discount")
    row: dict[str, Any] = {"path": _path(price), "times": _path(quantity)}
    if discount is not None and discount.sure:
        row["minus"] = _path(discount)
    amount.row, amount.confidence, amount.why = (
        row,
        SURE,
        "no amount of its own: quantity x price. TO DECIDE: discounts?",
    )


def _fill_receiver(rows: dict[str, Proposal], found: Found, *, chinese: bool) -> None:
    country, masked = rows["receiver.country"], rows["receiver.masked"]
    told = [rows[f"receiver.{name}"] for name in ("name", "phone", "street")]
    parts = [p for p in told if p.sure]
    if chinese and parts and not country.sure:
        country.row, country.confidence, country.why = (
            {"value": "CN"},
            0.7,
            "the sample has Chinese text and no country",
        )
    if any("*" in str(v) for p in parts for v in found[p.field][0].leaf.told):
        masked.row = {"path": f"contains(to_string([{', '.join(map(_path, parts))}]), '*')"}
        masked.confidence, masked.why = 0.8, "the sample has stars in place of parts of it"


def _path(proposal: Proposal) -> str:
    return proposal.row if isinstance(proposal.row, str) else str(proposal.row["path"])


def _constant(proposal: Proposal) -> Any:
    target = proposal.target
    if target.words:
        fitting = _CONSTANTS.get(proposal.field, "")
        return {"value": fitting if fitting in target.words else target.words[0]}
    if target.as_ == "int":
        return {"value": 1}
    return {"value": "1970-01-01T00:00:00Z"} if target.as_ == "time" else {"value": "TO-DECIDE"}


def _currency(found: list[Candidate], of_lines: list[Candidate], *, chinese: bool) -> tuple[Any, float, str]:
    for one in found[:1]:
        if one.confidence >= SURE and one.leaf.told:
            return {"path": one.text}, one.confidence, "; ".join(one.why)
    for one in of_lines[:1]:
        if one.confidence >= SURE and one.leaf.told:
            return str(one.leaf.told[0]), SURE, f"{one.text} of the lines says so"
    if chinese:
        return "CNY", 0.7, "the sample has Chinese text and no currency"
    return "CNY", 0.0, "TO DECIDE: nothing in the sample says which"


def _unit(rows: Mapping[str, Proposal], found: Found, currency: str) -> tuple[str, float, str]:
    """Fen or yuan: by the fields' names, else by whole numbers that are large."""
    chosen = [found[n][0] for n, p in rows.items() if p.target.as_ == "money" and p.row is not None and found[n]]
    if any({"fen", "cent", "cents"} & set(c.leaf.name.split("_")) for c in chosen):
        return "fen", 0.9, "the names say so"
    values = [v for c in chosen for v in c.leaf.told]
    numbers = [n for v in values if (n := number(v))]
    whole = all(isinstance(v, int) or (isinstance(v, str) and v.lstrip("-").isdecimal()) for v in values)
    if not numbers or not whole or currency in ("JPY", "KRW", "VND", "IDR", "CLP"):
        return "major", 0.9, ""
    large = sum(abs(n) >= 100 for n in numbers) / len(numbers)
    if large >= 0.8:
        return "fen", 0.7, "all amounts are whole numbers, and large. TO DECIDE"
    return "major", 0.5, "all amounts are whole numbers. TO DECIDE: yuan or fen?"


def _zone(rows: Mapping[str, Proposal], found: Found, *, chinese: bool) -> tuple[str, float, str]:
    times = [v for n, p in rows.items() if p.target.as_ == "time" and found.get(n) for v in found[n][0].leaf.told]
    if all(look.no_time(v) or look.has_offset(v) for v in times):
        return "UTC", 0.9, "its times say where they are meant"
    if chinese:
        return "Asia/Shanghai", 0.8, "the sample has Chinese text; its times have no offset"
    return "UTC", 0.4, "TO DECIDE: its times have no offset"


def _word(value: Any) -> str | None:
    try:
        return as_word(value)
    except Unfit:
        return None


def _unique(values: list[Any]) -> list[Any]:
    return list({(type(v), v): v for v in values}.values())


def _bare(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key.removesuffix("[0]") for key in keys)
