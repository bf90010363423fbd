"""The error tree: drawn as it is, and every leaf ready to be read by a person."""

import inspect
import re

import pytest

from canonical import errors
from canonical.errors import HubError


def descendants(error: type[HubError]) -> list[type[HubError]]:
    own = [e for e in error.__subclasses__() if e.__module__ == errors.__name__]
    return [error, *(d for e in own for d in descendants(e))]


TREE = descendants(HubError)
LEAVES = [error for error in TREE if not error.__subclasses__()]


def drawn() -> dict[str, str]:
    """Name -> name of its parent, as the picture at the top of the module shows it."""
    parents: dict[str, str] = {}
    open_branches: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        if not (match := re.match(r"([ |`-]*)([A-Z]\w+)   +\S", line)):
            continue
        depth, name = len(match.group(1)), match.group(2)
        open_branches = [branch for branch in open_branches if branch[0] < depth]
        parents[name] = open_branches[-1][1] if open_branches else ""
        open_branches.append((depth, name))
    return parents


def test_the_picture_shows_the_tree() -> None:
    assert drawn() == {e.__name__: "" if e is HubError else e.__bases__[0].__name__ for e in TREE}


def test_codes_are_unique() -> None:
    codes = [error.__dict__.get("code") for error in TREE]
    assert None not in codes, "every class of the tree has a code of its own"
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("error", LEAVES, ids=lambda e: e.__name__)
def test_a_leaf_says_what_happened_and_what_to_do(error: type[HubError]) -> None:
    assert inspect.cleandoc(error.__dict__.get("__doc__") or ""), "the docstring is the message"
    assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", error.code)
    assert isinstance(error.retryable, bool)
    assert error.__dict__.get("hint"), "support reads the hint"
    assert str(error()) == inspect.cleandoc(error.__doc__ or "")


def test_a_misconfiguration_is_no_message_failure() -> None:
    assert not issubclass(errors.ConfigError, HubError)
