"""A draft as text: rows with how sure they are and why, the doubtful ones as comments, and what was not found."""

import textwrap
from collections.abc import Mapping
from typing import Any

from canonical import DOCUMENTS
from hub.mapping.drafting.proposals import Proposal, Proposals
from hub.mapping.drafting.vocabulary import meaning, speaks_of_refund
from hub.mapping.editing import written
from hub.mapping.shape import fields_in, fields_of

Known = Mapping[tuple[str, str], tuple[str, str]]
"""(field, word) -> (its canonical word, the mapping that has it), of the mappings that are there."""
_WIDTH = 116
_SECTIONS = ("totals", "buyer", "receiver", "return_parcel")
_BY_HAND = {
    "order": "payments, discounts, presale, invoice and extra; holds, the reasons why an order must not ship though "
    "it looks ready: risk, a refund under way, a group that is not full, an address that is missing",
    "refund": "extra",
}


def write(proposals: Proposals, *, source: str, records: int, known: Known) -> str:
    """The file. `source` names the sample, for the first line."""
    kind, rows = proposals.kind, proposals.rows
    text = [
        f"# {kind.capitalize()}s, drafted from {source} ({records} record{'s' * (records != 1)}).",
        "# Behind each row: how sure the guess is, and why. TO DECIDE marks what a person has to look up. Nothing here",
        "# was looked up: hold it against the platform's documents.",
        f"kind = {written(kind)}",
        f"key = {written(_key(rows))}",
        *_top(proposals),
        "",
        f"[{kind}]",
    ]
    plain = [p for p in rows.values() if "." not in p.field and p.field != "revision"]
    text += [line for p in plain for line in _row(p, p.field)]
    for section in _SECTIONS:
        text += _section(kind, section, rows)
    if proposals.lines:
        text += ["", f"[{kind}.lines]", f"each = {written(proposals.lines)}"]
        text += [line for p in rows.values() if p.field.startswith("lines.") for line in _row(p, p.field[6:])]
    elif any(name.startswith("lines.") for name in rows):
        text += ["", f"# [{kind}.lines]  TO DECIDE: no list of lines was found in the sample", '# each = "..."']
    text += _not_found(proposals)
    for proposal in rows.values():
        if proposal.table and proposal.sure:
            text += _table(kind, proposal, known)
    return "\n".join(text) + "\n"


def word_of(kind: str, field: str, word: str, known: Known) -> tuple[str, str]:
    """What a word means for a field, and who says so; ("", why not) where nobody does.

    A refund's word says nothing of an order's state; a number is no word: other platforms count otherwise.
    """
    name = f"{kind}.{field}"
    if name == "order.state" and speaks_of_refund(word):
        return "", "a refund never changes an order's state"
    if value := meaning(name, word):
        return value, "by its name"
    if not word.lstrip("-").isdecimal() and (name, word) in known:
        value, where = known[name, word]
        return value, f"as in {where}"
    return "", ""


def _key(rows: Mapping[str, Proposal]) -> str:
    number = next(p for name, p in rows.items() if name in ("order_no", "refund_no") and p.required and name in rows)
    number = rows.get("refund_no", number)
    row = number.row
    return row if isinstance(row, str) else str(row.get("path", "`null`"))


def _top(proposals: Proposals) -> list[str]:
    revision = proposals.rows["revision"]
    currency, zone, unit = proposals.currency, proposals.zone, proposals.unit
    lines = [
        f"revision = {written(revision.row)}{_note(revision.confidence, revision.why)}",
        f"zone = {written(zone[0])}{_note(zone[1], zone[2])}",
        f"currency = {written(currency[0])}{_note(currency[1], currency[2])}",
    ]
    if unit[0] != "major" or unit[2]:
        lines.append(f"unit = {written(unit[0])}{_note(unit[1], unit[2])}")
    return lines


def _section(kind: str, section: str, rows: Mapping[str, Proposal]) -> list[str]:
    inside = [p for p in rows.values() if p.field.startswith(f"{section}.")]
    lines = [line for p in inside for line in _row(p, p.field.partition(".")[2])]
    if not any(p.sure for p in inside):
        return ["", f"# [{kind}.{section}]", *lines] if lines else []
    return ["", f"[{kind}.{section}]", *lines]


def _row(proposal: Proposal, name: str) -> list[str]:
    """The row, or the doubtful guess as a comment; with its alternatives."""
    if proposal.row is None:
        return []
    line = f"{name} = {written(proposal.row)}{_note(proposal.confidence, proposal.refused or proposal.why)}"
    lines = [line if proposal.sure else f"# {line}"]
    if proposal.confidence < 0.85:
        lines += [
            f"#   or {written(other.text)}{_note(other.confidence, '; '.join(dict.fromkeys(other.why)))}"
            for other in proposal.alternatives
        ]
    return lines


def _note(confidence: float, why: str) -> str:
    if not confidence:
        return f"  # {why}" if why else ""
    return f"  # {confidence:.2f}: {why}" if why else f"  # {confidence:.2f}"


def _table(kind: str, proposal: Proposal, known: Known) -> list[str]:
    """The words that the sample has. Those that nobody knows are left to a person."""
    words = proposal.target.words
    lines = ["", f"[tables.{proposal.table}]"]
    open_ = []
    for word in proposal.words:
        value, why = word_of(kind, proposal.field, word, known)
        if value in words and value:
            lines.append(f"{written_key(word)} = {written(value)}  # {why}")
        else:
            open_.append(f'# {written_key(word)} = "..."  # TO DECIDE{": " + why if why else ""}')
    choices = textwrap.wrap(f"One of: {', '.join(words)}.", _WIDTH - 2)
    return [*lines, *open_, *([f"# {line}" for line in choices] if open_ else [])]


def written_key(word: str) -> str:
    """A word as a key of TOML."""
    return written({word: 0})[2:-6]


def _not_found(proposals: Proposals) -> list[str]:
    """Fields without any guess, with what the contract says of them."""
    model = DOCUMENTS[proposals.kind]
    lines = ["", "# Not found in the sample:"]
    for proposal in proposals.rows.values():
        if proposal.row is None:
            text = f"{proposal.field}: {_described(model, proposal.field)}"
            lines += [f"#   {part}" for part in textwrap.wrap(text, _WIDTH, subsequent_indent="    ")]
    by_hand = _BY_HAND.get(proposals.kind)
    if by_hand:
        lines += [f"# {line}" for line in textwrap.wrap(f"Not drafted at all: {by_hand}.", _WIDTH)]
    return lines


def _described(model: Any, name: str) -> str:
    section, _, inner = name.partition(".")
    if inner:
        target = fields_of(model)[section]
        model = target.model if fields_in(target) else model
    info = next((f for n, f in model.model_fields.items() if (f.alias or n) == (inner or section)), None)
    return (info.description or "").split(";")[0].strip() if info is not None else ""
