"""The part of GraphQL that the imitated Shopify understands."""

from typing import Any

import pytest

from adapters.sandbox.graphql import QueryError, choose, connection, cost, parse

DATA: dict[str, Any] = {
    "__typename": "Order",
    "id": "gid://1",
    "tags": ["a", "b"],
    "total": {"amount": "1.5", "currency": "USD"},
    "lines": connection([{"sku": f"S{n}"} for n in range(3)]),
    "customer": None,
}


def answer(query: str, **variables: Any) -> Any:
    return choose(parse(query, variables)[1], {"order": DATA}, "Query")


def test_fields_aliases_lists_and_nulls() -> None:
    found = answer("{ order { number: id tags total { amount } customer { name } } }")
    assert found == {"order": {"number": "gid://1", "tags": ["a", "b"], "total": {"amount": "1.5"}, "customer": None}}


def test_variables_with_defaults_and_connections() -> None:
    query = """
    query Q($n: Int! = 2, $after: String) {
      order { lines(first: $n, after: $after) { nodes { sku } pageInfo { hasNextPage endCursor } } }
    }
    """
    first = answer(query)["order"]["lines"]
    assert first == {"nodes": [{"sku": "S0"}, {"sku": "S1"}], "pageInfo": {"hasNextPage": True, "endCursor": "2"}}
    rest = answer(query, after="2")["order"]["lines"]
    assert rest == {"nodes": [{"sku": "S2"}], "pageInfo": {"hasNextPage": False, "endCursor": "3"}}


def test_fragments_and_directives() -> None:
    query = """
    # a comment
    query ($deep: Boolean!) {
      order { ...Head ... on Order { tags } ... on Refund { nothing } total @include(if: $deep) { amount } }
    }
    fragment Head on Order { id }
    """
    assert answer(query, deep=False) == {"order": {"id": "gid://1", "tags": ["a", "b"]}}
    assert answer(query, deep=True)["order"]["total"] == {"amount": "1.5"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ order { colour } }", "undefinedField"),
        ("{ order { total } }", "selectionMismatch"),
        ("{ order { ...Nowhere } }", "undefinedFragment"),
        ("{ order { id }", "GRAPHQL_PARSE_FAILED"),
        ("{ order { id % } }", "GRAPHQL_PARSE_FAILED"),
        ("subscription { order { id } }", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
    ],
)
def test_what_a_server_would_refuse(query: str, code: str) -> None:
    with pytest.raises(QueryError) as refused:
        answer(query)
    assert refused.value.code == code


def test_cost_is_counted_as_the_platform_documents() -> None:
    """An object 1, a connection 2 and its items; scalars and amounts of money cost nothing."""

    def points(query: str) -> int:
        return cost(parse(query, {})[1])

    assert points("{ order { id } }") == 1
    assert points("{ orders(first: 10) { nodes { id } pageInfo { endCursor } } }") == 2 + 10
    assert points("{ orders(first: 10) { edges { cursor node { id customer { id } } } } }") == 2 + 10 * 2
    nested = "{ orders(first: 10) { nodes { priceSet { shopMoney { amount } } lines(first: 5) { nodes { sku } } } } }"
    assert points(nested) == 2 + 10 * (1 + 2 + 5)
