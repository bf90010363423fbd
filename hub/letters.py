"""Turning a failure into a dead letter that a person understands."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson

from canonical import Problem
from canonical.errors import HubError
from dlq import DeadLetter, Step, fingerprint
from dlq.groups import MOST_AT_STAKE, STAKE_UNIT
from hub.masking import mask_text
from hub.store import inbox

TITLE_PART = 90
"""Characters of what was found, and of what was expected, in a letter's title; its problems have all of it."""


def of_problems(
    message: Mapping[str, Any], problems: Sequence[Problem], *, key: str, subject: str, mapping_version: str
) -> DeadLetter:
    """A record that could not be translated, or whose document contradicts itself."""
    first = problems[0]
    checks = all(p.code.startswith("check.") for p in problems)
    step = Step.CHECK if checks else Step.MAP
    return DeadLetter(
        tenant=message["tenant"],
        step=step,
        cause=first.code,
        title=_title(problems),
        shop=message["shop"],
        channel=message["channel"],
        kind=message["kind"],
        key=key or message["key"],
        subject=subject or message["subject"] or key or message["key"],
        revision=message["revision"],
        message_id=message["id"],
        fingerprint=fingerprint(step, first.code, message["channel"], *sorted({_gist(p) for p in problems})),
        problems=[p.as_dict() for p in problems],
        hint=first.hint,
        mapping_version=mapping_version,
    )


def of_message(message: Mapping[str, Any], step: Step, error: HubError) -> DeadLetter:
    """A message that could not be unpacked, fetched or routed."""
    return DeadLetter(
        tenant=message["tenant"],
        step=step,
        cause=error.code,
        title=mask_text(error.message),
        shop=message["shop"],
        channel=message["channel"],
        kind=message["kind"],
        key=message["key"],
        subject=message["subject"] or message["key"],
        revision=message["revision"],
        message_id=message["id"],
        fingerprint=fingerprint(step, error.code, message["channel"], general(error.message)),
        evidence=_masked(error.evidence),
        hint=error.hint,
    )


def of_delivery(
    row: Mapping[str, Any], error: HubError, problems: Sequence[Problem] = (), *, answer: str = "", version: str = ""
) -> DeadLetter:
    """A delivery that a destination will not take, or that nobody could make."""
    reason = str(error.evidence.get("reason") or "") or general(error.message)
    details = sorted({_gist(p) for p in problems}) or [reason]
    evidence = {**_masked(error.evidence), **({"answer": answer} if answer else {}), "attempts": row["attempts"]}
    return DeadLetter(
        tenant=row["tenant"],
        step=Step.SEND,
        cause=problems[0].code if problems else error.code,
        title=_title(problems) if problems else mask_text(error.message),
        shop=row["shop"],
        channel=row["channel"],
        kind=row["kind"],
        key=row["key"],
        subject=row["subject"],
        revision=row["revision"],
        destination=row["destination"],
        message_id=row["message_id"],
        delivery_id=row["id"],
        fingerprint=fingerprint(Step.SEND, error.code, row["destination"], *details),
        problems=[p.as_dict() for p in problems],
        evidence=evidence,
        hint=problems[0].hint if problems else error.hint,
        mapping_version=version,
        **_stake(row),
    )


def _stake(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the document is worth: an order's payable total, a refund's amount."""
    document = orjson.loads(inbox.decompress(row["overlay"] or row["body"]))
    totals = document.get("totals") or {}
    amount = totals.get("payable") or totals.get("paid") or document.get("amount")
    currency = document.get("currency")
    if not amount or not currency:
        return {}
    return {"currency": str(currency), "stake": min(int(Decimal(str(amount)) * STAKE_UNIT), MOST_AT_STAKE)}


def of_destination(name: str, tenant: str, error: HubError) -> DeadLetter:
    """One ticket for a destination whose credentials are refused; its deliveries wait."""
    return DeadLetter(
        tenant=tenant,
        step=Step.SEND,
        cause=error.code,
        title=f"{name} refuses our credentials: {error.message}",
        shop="",
        channel="",
        kind="",
        key="",
        subject="",
        destination=name,
        fingerprint=fingerprint(Step.SEND, error.code, name),
        evidence=_masked(error.evidence),
        hint=f"Renew the credentials of {name} in hub.toml, restart, then: hub destinations resume {name}",
    )


def general(message: str) -> str:
    """A message without what differs from order to order: numbers, ids, quoted values."""
    return re.sub(r"\d+", "#", re.sub(r"""(['"]).*?\1""", "''", message))[:120]


def _gist(problem: Problem) -> str:
    rule = re.sub(r"\[\d+\]", "[]", problem.rule)
    word = problem.found if problem.code == "mapping.unknown_word" else ""
    return f"{problem.code} {rule} {word}".strip()


def _masked(evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {name: mask_text(value) if isinstance(value, str) else value for name, value in evidence.items()}


def _short(text: str) -> str:
    return text if len(text) <= TITLE_PART else text[: TITLE_PART - 2].rstrip() + " …"


def _title(problems: Sequence[Problem]) -> str:
    first = problems[0]
    rule = re.sub(r"\[\d+\]", "[]", first.rule)
    found = f": found {_short(first.found)}" if first.found else ""
    expected = f", expected {_short(first.expected)}" if first.expected else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{rule}{found}{expected}{more}" if rule else f"{first.code}{found}{expected}{more}"
