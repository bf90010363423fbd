"""A finding, told to a person: which rule, which path, what was found, what was expected, what to do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about one record. All are texts; "" where there is nothing to say.

    `code` is the kind of finding ("mapping.unknown_word", "check.totals"), by which equal causes are grouped;
    `rule` the mapping's row or the check's sentence; `path` the place in the record or document; `found` a short
    text of the value there, personal data masked; `expected` what would have been right; `hint` what to do.
    """

    code: str
    rule: str = ""
    path: str = ""
    found: str = ""
    expected: str = ""
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Problem":
        """The opposite of `as_dict`; unknown names are left out, missing ones "". Raises KeyError without a code."""
        known = {field.name: str(data[field.name]) for field in fields(cls) if data.get(field.name) is not None}
        return cls(known.pop("code"), **known)
