import pytest

from canonical import errors
from canonical.errors import ConfigError, HubError, Refused, Unavailable


def _classes(of: type[HubError]) -> list[type[HubError]]:
    return [of, *(inner for sub in of.__subclasses__() for inner in _classes(sub))]


OWN = [one for one in _classes(HubError) if one.__module__ == errors.__name__]


@pytest.mark.parametrize("one", OWN, ids=lambda one: one.__name__)
def test_every_error_has_a_code_and_a_message_of_its_own(one: type[HubError]) -> None:
    assert one.__doc__
    assert str(one()) == one.__doc__.strip()
    assert one.code.count(".") == 1
    assert [other for other in OWN if other.code == one.code] == [one]


@pytest.mark.parametrize("one", [one for one in OWN if not one.__subclasses__()], ids=lambda one: one.__name__)
def test_every_leaf_says_what_to_do_and_stands_in_the_drawing(one: type[HubError]) -> None:
    assert one().hint
    assert one.__name__ in (errors.__doc__ or "")


def test_only_outages_and_doubt_are_tried_again() -> None:
    assert {one.__name__ for one in OWN if one.retryable} == {"Unavailable", "InDoubt"}


def test_one_answer_may_be_named_more_exactly_than_its_class() -> None:
    error = Refused("no such SKU", code="delivery.unknown_sku", hint="create it", evidence={"sku": "A"})
    assert (str(error), error.code, error.hint, error.evidence) == (
        "no such SKU",
        "delivery.unknown_sku",
        "create it",
        {"sku": "A"},
    )
    assert Refused.code == "delivery.refused"
    assert Unavailable(retry_after=3.5, throttled=True).retry_after == 3.5


def test_a_wrong_configuration_is_no_message_s_fault() -> None:
    error = ConfigError(["a", "b"])
    assert not isinstance(error, HubError)
    assert str(error) == "a\nb"
    assert error.problems == ["a", "b"]
