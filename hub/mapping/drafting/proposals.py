"""A row for each canonical field: the likeliest place, made into a row that fits what the sample holds."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canonical import DOCUMENTS
from hub.mapping.drafting import looks as look
from hub.mapping.drafting.conventions import currency_of, unit_of, zone_of
from hub.mapping.drafting.matching import DOUBTFUL, PLACES, SURE, Candidate, candidates
from hub.mapping.drafting.relations import (
    Agreement,
    Found,
    agree_on_lines,
    agree_on_numbers,
    agree_on_paid,
    agree_on_times,
    agree_on_totals,
    compete,
)
from hub.mapping.drafting.samples import Leaf, leaves_of, lines_in
from hub.mapping.drafting.vocabulary import meaning
from hub.mapping.functions import Unfit, as_word
from hub.mapping.reading import HUB_FIELDS
from hub.mapping.shape import Field, fields_in, fields_of
from hub.masking import is_sensitive, mask_text

MOST_WORDS = 25
_LEFT_OUT = frozenset({"payments", "discounts", "holds", "presale", "invoice", "extra"})
"""Lists and parts that need a person: they are named in the draft, not drafted."""
_IDS = frozenset({"group_no", "lines.item_id", "lines.variant_id", "lines.warehouse"})
"""Numbers of things that need not be there; platforms write 0 then."""
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
    names: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    """Where first and last names of a receiver lie."""
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
    result.names = _names(leaves)
    result.currency = currency_of(found["currency"], of_lines, chinese=result.chinese)
    result.unit = unit_of(rows, found, result.currency[0])
    result.zone = zone_of(rows, found, chinese=result.chinese)
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
    elif name in _IDS and any(v in (0, "0") for v in best.leaf.told):
        row["absent"] = _unique([v for v in best.leaf.values if v in (0, "0", "")])
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
    if len(words) > MOST_WORDS or is_sensitive(best.leaf.name) or any(mask_text(word) != word for word in words):
        return
    result.words = sorted(words)
    result.table = result.field.replace("lines.", "line_").replace(".", "_")
    row["table"] = result.table
    if any(v == "" for v in best.leaf.values):
        row["absent"] = [""]


def _fill(proposals: Proposals, found: Found, agreement: Agreement) -> None:
    """What the lines, the totals and the states say of each other."""
    rows = proposals.rows
    _fill_times(rows, found)
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
        _fill_receiver(proposals, found)
    for proposal in rows.values():
        if proposal.required and proposal.row is None:
            proposal.row, proposal.why = _constant(proposal), "TO DECIDE: nothing in the sample looks like it"
        elif proposal.required and proposal.confidence < SURE and "TO DECIDE" not in proposal.why:
            proposal.why += ". TO DECIDE"


def _fill_times(rows: dict[str, Proposal], found: Found) -> None:
    """What one time has in place of "not yet", the others will have too."""
    times = [p for p in rows.values() if p.target.as_ == "time" and p.row is not None and found[p.field]]
    zeros = _unique([v for p in times for v in found[p.field][0].leaf.told if look.no_time(v)])
    for time in times:
        epoch = any(look.is_epoch(v) for v in found[time.field][0].leaf.told)
        fitting = [zero for zero in zeros if look.is_epoch(zero) == epoch]
        if fitting and time.field != "revision":
            time.row = {"path": _path(time), "absent": fitting}


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


def _fill_receiver(proposals: Proposals, found: Found) -> None:
    rows, chinese = proposals.rows, proposals.chinese
    country, masked = rows["receiver.country"], rows["receiver.masked"]
    if not rows["receiver.name"].sure:
        _fill_name(rows["receiver.name"], proposals.names)
    told = [rows[f"receiver.{name}"] for name in ("name", "phone", "street")]
    parts = [p for p in told if p.sure]
    if chinese and parts and not country.sure:
        country.row, country.confidence, country.why = (
            {"value": "CN"},
            0.7,
            "the sample has Chinese text and no country",
        )
    if any("*" in str(v) for p in parts for c in found[p.field][:1] for v in c.leaf.told):
        masked.row = {"path": f"contains(to_string([{', '.join(map(_path, parts))}]), '*')"}
        masked.confidence, masked.why = 0.8, "the sample has stars in place of parts of it"


def _fill_name(name: Proposal, places: Sequence[tuple[str, str]]) -> None:
    """First and last name, where they lie beside each other at the receiver's."""
    for first, last in places[:1]:
        name.row = {"path": f"join(' ', [{first}, {last}][?@])"}
        name.confidence, name.why = 0.8, "first and last name"


def _names(leaves: Sequence[Leaf]) -> list[tuple[str, str]]:
    first = {leaf.keys[:-1]: leaf.text for leaf in leaves if leaf.name in ("first_name", "firstname")}
    last = {leaf.keys[:-1]: leaf for leaf in leaves if leaf.name in ("last_name", "lastname")}
    places = [(keys, leaf) for keys, leaf in last.items() if keys in first and keys]
    fitting = [(keys, leaf) for keys, leaf in places if leaf.above & PLACES["receiver"] and "billing" not in leaf.above]
    return [(first[keys], leaf.text) for keys, leaf in sorted(fitting, key=lambda pair: len(pair[0]))]


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


def _word(value: Any) -> str | None:
    try:
        return as_word(value)
    except Unfit:
        return None


def _unique(values: list[Any]) -> list[Any]:
    return list({(type(v), v): v for v in values}.values())


def _bare(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key.removesuffix("[0]") for key in keys)
