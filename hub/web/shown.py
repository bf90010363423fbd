"""What each role may see of a row. Personal data is clear from support upwards, and in no list for viewers.

The hub masks what it knows to be personal by the fields of the canonical model. What a remote system said is a
stranger's text: it may quote a buyer's name, so viewers get its general form, without quoted texts and numbers.
"""

from collections.abc import Mapping
from typing import Any

from hub import desk, letters
from hub.masking import mask_text
from hub.web.auth import Caller

_OWN_WORDS = ("mapping.", "check.", "routing.", "config.")
"""Causes whose titles the hub wrote itself, values masked."""


def document(row: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """A canonical document's row with its body."""
    return {**row, "body": desk.masked(caller.role, row["body"], row["kind"])}


def delivery(row: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """A delivery: a list's row, one of an order's story, or the whole."""
    seen = {**row, "error": _error(row["error"], caller)}
    if "attempted" in row:
        seen["attempted"] = attempts(row["attempted"], caller)
    if "document" in row:
        seen["document"] = desk.masked(caller.role, row["document"], row["kind"])
    return seen


def attempts(rows: list[dict[str, Any]], caller: Caller) -> list[dict[str, Any]]:
    """The attempts of a delivery."""
    clear = caller.may("support")
    return [{**r, "error": _error(r["error"], caller), "answer": mask_text(r["answer"]) if clear else ""} for r in rows]


def letter(row: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
    """A dead letter or a group of them."""
    title = mask_text(row["title"])
    seen = dict(row)
    if not caller.may("support"):
        seen["evidence"] = {}
        title = title if row["cause"].startswith(_OWN_WORDS) else letters.general(title)
    if "attempted" in row:
        seen["attempted"] = attempts(row["attempted"], caller)
    return {**seen, "title": title}


def pull(row: Mapping[str, Any]) -> dict[str, Any]:
    """A pull's state."""
    return {**row, "error": mask_text(row["error"]), "paused": mask_text(row["paused"])}


def _error(text: str, caller: Caller) -> str:
    return mask_text(text) if caller.may("support") else text.partition(": ")[0]
