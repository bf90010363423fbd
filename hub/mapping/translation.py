"""From a platform's record to a canonical document. Never raises on data: what does not fit comes back as problems."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from canonical import DOCUMENTS, Problem
from canonical.checks import check
from canonical.fields import Document
from hub.mapping.compiler import Fast
from hub.mapping.expression import EVALUATION_ERRORS, Expression, is_true
from hub.mapping.functions import Unfit, to_text
from hub.mapping.interpreter import compile_document, compile_row
from hub.mapping.labels import all_rows
from hub.mapping.reading import HUB_FIELDS
from hub.mapping.rows import MappingFile, Row
from hub.mapping.run import Frame, Run, Watch
from hub.mapping.shape import fields_of
from hub.mapping.telling import described, located, texts_of, unclear


@dataclass(frozen=True, slots=True)
class Translation:
    """What a record became: a document, or problems, or neither where a named rule ignores it.

    `draft` is the document even where checks found fault with it (`document` is None then). `key` is the record's
    number, `subject` its order's; both are there for records with problems too, "" where even they could not be read.
    """

    document: Document | None = None
    problems: list[Problem] = field(default_factory=list)
    mapping_version: str = ""
    key: str = ""
    subject: str = ""
    ignored: str = ""
    draft: Document | None = None


class Translator:
    """Translates the records of one kind of one channel. Several files may share the work (`accepts`)."""

    def __init__(self, variants: Sequence["Compiled"]) -> None:
        self._variants = list(variants)

    @property
    def version(self) -> str:
        """The content hash of each mapping that may be used, e.g. taobao/order@3f2a9c1b."""
        return "+".join(variant.mapping.version for variant in self._variants)

    @property
    def mappings(self) -> list[MappingFile]:
        """The files that share the work, in the order in which they are asked."""
        return [variant.mapping for variant in self._variants]

    def translate(self, record: Any, *, tenant: str, shop: str, channel: str, now: datetime) -> Translation:
        """Translate one record, as parsed JSON. Never raises on data. `now` is UTC and aware."""
        for variant in self._variants:
            if variant.accepts(record):
                return variant.translate(record, {"tenant": tenant, "shop": shop, "channel": channel})
        first = self._variants[0]
        conditions = "; ".join(v.mapping.accepts.text for v in self._variants if v.mapping.accepts)
        files = ", ".join(v.mapping.file for v in self._variants)
        problem = Problem(
            "mapping.no_branch",
            f"{first.mapping.name}: accepts",
            conditions,
            described(record),
            "a record that one of the mappings accepts",
            f"None of {files} accepts it; mend `accepts`, or add a mapping without it.",
        )
        return Translation(problems=[problem], mapping_version=self.version, key=first.key(record))


class Compiled:
    """One mapping file, compiled. With `watch` its rows are seen when they run."""

    def __init__(self, mapping: MappingFile, watch: Watch | None = None) -> None:
        self.mapping = mapping
        self._model = DOCUMENTS[mapping.kind]
        self._fast = Fast(mapping) if watch is None else None
        self._build = compile_document(mapping.body, outward=False, watch=watch)
        self._own = [name for name in fields_of(self._model) if name in HUB_FIELDS and name != "schema"]
        self._rows: dict[str, Row] = {}
        currency = mapping.currency
        self._currency = None if isinstance(currency, str) else compile_row(currency, outward=False)

    def accepts(self, record: Any) -> bool:
        """Whether this file is for the record."""
        return self.mapping.accepts is None or _holds(self.mapping.accepts, record)

    def key(self, record: Any) -> str:
        """The record's number, "" where it cannot be read."""
        return _number(self.mapping.key, record)

    def draft(self, record: dict[str, Any]) -> dict[str, Any] | str | None:
        """What the rows make of a record, before it is validated; the text of a rule that ignores it; None where they
        have something to complain of."""
        return self._fast(record) if self._fast else None

    def translate(self, record: Any, own: dict[str, str]) -> Translation:
        """Translate one record; `own` is what the hub knows: tenant, shop, channel."""
        key, subject = self.key(record), _number(self.mapping.subject, record)
        told = partial(Translation, mapping_version=self.mapping.version, key=key)
        if not isinstance(record, dict):
            return told(problems=[self._no_record(record)], subject=subject)
        draft, problems, failed = self.draft(record), list[Problem](), set[str]()
        if draft is None:
            run = Run(self.mapping, record)
            draft = self.interpreted(run)
            problems, failed = run.problems, run.failed
        if isinstance(draft, str):
            return told(ignored=draft, subject=subject)
        for name in self._own:
            draft[name] = own[name]
        told = partial(told, subject=subject or str(draft.get("order_no") or ""))
        try:
            document = self._model.model_validate(draft)
        except ValidationError as error:
            return told(problems=_unique([*problems, *self._invalid(error, failed)]))
        if problems:
            return told(problems=_unique(problems))
        findings = [self._named(finding) for finding in check(document)]
        if findings:
            return told(problems=findings, draft=document)
        return told(document=document, draft=document)

    def interpreted(self, run: Run) -> dict[str, Any] | str:
        """The same as `draft`, with everything that is wrong noted in the run."""
        for condition, why in self.mapping.ignore:
            try:
                if is_true(condition.search(run.root)):
                    return why
            except EVALUATION_ERRORS as error:
                run.problems.append(unclear(self.mapping, "ignore", condition, error))
        run.currency = self._money_of(run)
        return self._build(run)

    def _no_record(self, record: Any) -> Problem:
        found = described(record, personal=True)
        rule, hint = f"{self.mapping.name}: {self.mapping.kind}", "Look at what the channel hands over as a record."
        return Problem("mapping.wrong_type", rule, "@", found, "a record, a JSON object", hint)

    def _money_of(self, run: Run) -> str:
        if self._currency is None:
            return str(self.mapping.currency)
        currency = self._currency(Frame(run, run.root))
        return currency if isinstance(currency, str) else ""

    def _named(self, finding: Problem) -> Problem:
        name = self.mapping.name
        return replace(finding, rule=f"{name}: {finding.rule}" if finding.rule else f"{name}: {self.mapping.kind}")

    def _invalid(self, error: ValidationError, rows_failed: set[str]) -> list[Problem]:
        """The model's own findings, with the row that made the value; not where a row has already told."""
        problems = []
        for finding in error.errors(include_url=False):
            label = _label(self.mapping.kind, finding["loc"])
            if any(_touches(label, failed) for failed in rows_failed):
                continue
            row = self._row(label)
            place = f" The row is at {row.place.file}:{row.place.line}." if row is not None else ""
            lacking = finding["type"] == "missing"
            problems.append(
                Problem(
                    "mapping.missing" if lacking else "mapping.invalid",
                    f"{self.mapping.name}: {label}",
                    texts_of(row) if row is not None else "",
                    "null" if lacking else described(finding["input"], personal=self._is_personal(label)),
                    finding["msg"].removeprefix("Value error, "),
                    f"Mend the row, or its table, so that the value fits the canonical document.{place}",
                )
            )
        return problems

    def _is_personal(self, label: str) -> bool:
        """Whether a field, or anything that it lies in, is tagged as personal."""
        fields, personal = fields_of(self._model), False
        for name in located(label, ()).split(".")[1:]:
            known = fields.get(name.partition("[")[0])
            if known is None:
                return personal
            personal = personal or known.personal
            fields = fields_of(known.model) if known.model else {}
        return personal

    def _row(self, label: str) -> Row | None:
        if not self._rows:
            for row in all_rows(self.mapping.body):
                self._rows.setdefault(row.label, row)
        while label:
            for known, row in self._rows.items():
                if _matches(known, label):
                    return row
            label = label.rpartition(".")[0]
        return None


def _matches(known: str, label: str) -> bool:
    stripped = "".join(part.partition("[")[0] + "." for part in label.split("."))
    return known.replace("[]", "").rstrip(".") + "." == stripped


def _label(kind: str, location: Sequence[str | int]) -> str:
    text = kind
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text


def _touches(label: str, failed: str) -> bool:
    """Whether one of two places lies in the other."""
    short, long = sorted((label, failed), key=len)
    return long == short or long.startswith((f"{short}.", f"{short}["))


def _unique(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _holds(condition: Expression, record: Any) -> bool:
    try:
        return is_true(condition.search(record))
    except EVALUATION_ERRORS:
        return False


def _number(expression: Expression | None, record: Any) -> str:
    if expression is None:
        return ""
    try:
        value = expression.search(record)
        return "" if value is None else to_text(value)
    except (Unfit, *EVALUATION_ERRORS):
        return ""
