"""docs/reference/errors.md: every error and every problem, what it means, and what to do."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from canonical import errors as tree
from canonical.errors import HubError
from hub.reference.markdown import code, escaped, table
from hub.reference.markdown import page as whole
from hub.retry import UNKNOWN_ERROR_ATTEMPTS

CHECKS: dict[str, tuple[str, str]] = {
    "check.totals": (
        "`payable` = `goods` - `discount` + `shipping` + `tax` + `other`",
        "Compare the figures with the platform's console: a total is read from the wrong field, or one is missing.",
    ),
    "check.lines_sum": (
        "the lines' amounts add up to `goods` - `discount`, within one minor unit a line",
        "Check `amount` of the lines: all shares of order discounts must be taken off; removed lines left out.",
    ),
    "check.refunded": ("`refunded` is at most `paid`", "Check the units of both, and which field holds what was paid."),
    "check.line_numbers": (
        "line numbers are unique",
        "Map the platform's id of the line; where it has none, `distinct = true` numbers equal ones.",
    ),
    "check.quantity": ("quantities are above 0", "Leave removed lines out: `where` on the list."),
    "check.paid_at": (
        "`paid_at` is set only where something was paid",
        "Mend the table of payment words, or list the platform's empty time under `absent`.",
    ),
    "check.revision": ("`revision` is not before `placed_at`", "Check the zone of both times."),
    "check.digits": ("money has no more digits than its currency", "Check the unit of the amount, and the currency."),
}
"""Rules of canonical.checks: code -> the rule, what to do. A test holds this against the code."""

PROBLEMS: dict[str, tuple[str, str]] = {
    "mapping.unknown_word": (
        "a word is in no row of its table",
        "Find out what the word means, add it to the table, replay the group. Words are never guessed.",
    ),
    "mapping.missing": (
        "a field that must have a value has none",
        "Point the row at where the value is; a `default` only where one is right for every record.",
    ),
    "mapping.wrong_type": (
        "the value is of a type that the row cannot take",
        "Point the expression at a single value, or choose another `as`.",
    ),
    "mapping.bad_money": (
        "no amount, or more digits than the currency has",
        "Set the row's `unit`, or look up which currency the record is in.",
    ),
    "mapping.bad_time": ("no time in a known form", "If it means that it did not happen: list it under `absent`."),
    "mapping.no_branch": (
        "no branch of `when` (or no file's `accepts`) takes the record",
        "Add a branch for it, or one without `if`.",
    ),
    "mapping.budget": (
        "the expressions of the mapping go over more items than one message may cost",
        "Narrow the expression that the problem names: fewer lists within lists, no multi-select of whole lists.",
    ),
    "mapping.expression": (
        "the expression cannot be evaluated on this record",
        "Guard it: `||` against null, `to_string()` and `to_number()` against types.",
    ),
    "mapping.invalid": (
        "the value does not fit the canonical field",
        "Mend the row or its table so that it gives what the field takes.",
    ),
}
"""Problems that a mapping reports: code -> meaning, what to do. A test holds this against the code."""

_INTRO = """\
Each error answers one question: will trying again help? Where it will, the hub does so by itself. Where it will
not, the message or delivery becomes a dead letter with the error's code as its cause, and
[handle-dead-letters](../how-to/handle-dead-letters.md) goes on from there. `hub dlq groups` and `hub dlq show`
print the advice of this page with the particulars of the case. The API tells the
same codes as problem+json; those of HTTP itself begin with `http.`, `auth.` or `push.`."""

_EXACT = """\
Some places name their error more exactly than its class does. They behave as their class: what it says about trying
again holds for them too. `...` stands for what differs from case to case."""

_PROBLEMS = """\
A record that a mapping cannot translate comes back with all its problems at once; the first one's code is the
letter's cause. Each names the rule (file and field), the expression, what was found (personal data masked), what
was expected, and the line of the mapping to look at."""

_CONFIG = """\
A misconfiguration is nobody's message's fault: `hub check` lists all of it, and no command works on a configuration
with a finding. Exit code 3."""

_CODE = re.compile(r"[a-z]+(\.[a-z_]+)+")


@dataclass(slots=True)
class Exact:
    """A code that is given where the error is raised."""

    code: str
    of: str
    messages: dict[str, None] = field(default_factory=dict)
    hint: str = ""


def page(root: Path) -> str:
    """The page's text."""
    exact = sorted(given_codes(root).values(), key=lambda e: e.code)
    return whole(
        "Errors",
        _INTRO,
        "## By class",
        table(("code", "class", "again?", "meaning", "what to do"), _classes()),
        "## More exact codes",
        _EXACT,
        table(
            ("code", "as", "when", "what to do"),
            ((code(e.code), code(e.of), escaped("; ".join(e.messages)), escaped(e.hint)) for e in exact),
        ),
        "## Problems of a mapping",
        _PROBLEMS,
        table(("code", "meaning", "what to do"), ((code(c), m, d) for c, (m, d) in PROBLEMS.items())),
        "## Findings of the checks",
        table(("code", "rule", "what to do"), ((code(c), r, d) for c, (r, d) in CHECKS.items())),
        "## ConfigError",
        _CONFIG,
    )


def leaves(error: type[HubError] = HubError) -> Iterator[type[HubError]]:
    """The classes of the tree in canonical.errors that have no subclass there."""
    own = [e for e in error.__subclasses__() if e.__module__ == tree.__name__]
    if not own:
        yield error
    for inner in own:
        yield from leaves(inner)


def again(error: type[HubError]) -> str:
    """Whether the hub tries again by itself."""
    if error is tree.NotAuthorised:
        return "once; then the pull or the destination is paused"
    if error is tree.InternalError:
        return f"deliveries, up to {UNKNOWN_ERROR_ATTEMPTS} attempts"
    if error is tree.InDoubt:
        return "yes, once the doubt is settled"
    return "yes" if error.retryable else "no"


def given_codes(root: Path) -> dict[str, Exact]:
    """Codes that hub and adapters give to an error as they raise it, and error classes of their own, by their code."""
    found: dict[str, Exact] = {}
    known = {e.__name__: e for e in vars(tree).values() if isinstance(e, type) and issubclass(e, HubError)}
    own_codes = {e.code for e in known.values()}
    for path in sorted(p for folder in ("hub", "adapters") for p in (root / folder).rglob("*.py")):
        if "sandbox" in path.parts or "reference" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name, of, message, hint in [*_raised(node, known), *_declared(node, known)]:
                if name in own_codes:
                    continue
                exact = found.setdefault(name, Exact(name, of))
                exact.messages.setdefault(message)
                exact.hint = exact.hint or hint or known[of].hint
    return found


def _classes() -> Iterator[tuple[str, str, str, str, str]]:
    for error in leaves():
        meaning = " ".join((error.__doc__ or "").split())
        yield code(error.code), code(error.__name__), again(error), escaped(meaning), escaped(str(error.hint))


def _raised(node: ast.AST, known: dict[str, type[HubError]]) -> Iterator[tuple[str, str, str, str]]:
    """Calls such as Refused("...", code="delivery.body", hint="...")."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in known:
        return
    given = {k.arg: k.value for k in node.keywords}
    if "code" not in given:
        return
    message = _text(node.args[0]) if node.args else known[node.func.id].__doc__ or ""
    for part in ast.walk(given["code"]):
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and _CODE.fullmatch(part.value):
            yield part.value, node.func.id, " ".join(message.split()), _literal(given.get("hint"))


def _declared(node: ast.AST, known: dict[str, type[HubError]]) -> Iterator[tuple[str, str, str, str]]:
    """Classes such as class NotFound(HubError): code = "desk.not_found"."""
    if not isinstance(node, ast.ClassDef):
        return
    of = next((b.id for b in node.bases if isinstance(b, ast.Name) and b.id in known), "")
    own = {
        t.id: _text(s.value)
        for s in node.body
        if isinstance(s, ast.Assign)
        for t in s.targets
        if isinstance(t, ast.Name)
    }
    if of and _CODE.fullmatch(own.get("code", "")):
        yield own["code"], of, " ".join((ast.get_docstring(node) or "").split()), own.get("hint", "")


def _literal(node: ast.AST | None) -> str:
    """The same where it says something: nothing for a text that is made elsewhere."""
    text = _text(node)
    return text if text.strip(". ") else ""


def _text(node: ast.AST | None) -> str:
    """The text of a literal; `...` for what is filled in at run time."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    return "" if node is None else "..."
