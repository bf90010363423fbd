"""The description of the API is complete, true, and holds under thousands of odd requests."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from tests.rig import order
from tests.unit.web.visitor import Visitor

METHODS = ("get", "post", "put", "delete", "patch")


def operations(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{m} {p}", o) for p, item in schema["paths"].items() for m, o in item.items() if m in METHODS]


async def test_every_operation_is_described(visitor: Visitor) -> None:
    schema = (await visitor.http.get("/openapi.json")).json()
    tags = {tag["name"] for tag in schema["tags"]}
    names = [o["operationId"] for _, o in operations(schema)]
    assert len(names) == len(set(names))
    for name, operation in operations(schema):
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= tags, name
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), f"{name}: {parameter['name']}"
        if "/api/v1" in name:
            assert operation["security"] == [{"bearer": []}], name
            assert {"401", "403", "500", "503"} <= set(operation["responses"]), name
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


async def test_errors_are_described_as_problems(visitor: Visitor) -> None:
    schema = (await visitor.http.get("/openapi.json")).json()
    for name, operation in operations(schema):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and "/hooks/" not in name:
                assert list(response["content"]) == ["application/problem+json"], f"{name} {status}"
    assert "HTTPValidationError" not in str(schema)
    assert "title" in schema["components"]["schemas"]["Problem"]["properties"]


async def test_what_is_sent_and_answered_has_examples(visitor: Visitor) -> None:
    schema = (await visitor.http.get("/openapi.json")).json()
    models = schema["components"]["schemas"]

    def shows(part: Any, seen: frozenset[str] = frozenset()) -> bool:
        """Whether an example is in the part itself or in what it refers to."""
        if isinstance(part, dict):
            named = str(part.get("$ref", "")).rpartition("/")[2]
            if named and named not in seen:
                return shows(models[named], seen | {named})
            return "examples" in part or "example" in part or any(shows(v, seen) for v in part.values())
        return isinstance(part, list) and any(shows(v, seen) for v in part)

    for name, operation in operations(schema):
        if "/api/v1" not in name:
            continue
        if "requestBody" in operation:
            assert shows(operation["requestBody"]), f"{name}: no example of a body"
        good = [r for s, r in operation["responses"].items() if s.startswith("2") and "content" in r]
        assert all(shows(r["content"]) for r in good), f"{name}: no example of an answer"


async def seed(visitor: Visitor) -> None:
    """Orders, deliveries and letters, so that small ids name something."""
    for number in range(3):
        await visitor.push(order(f"W{number}"))
        await visitor.push(order(f"X{number}", status="teleported"))
    await visitor.push(order(), secret="another")
    await visitor.rig.work()


def can(operation: Any, mode: GenerationMode) -> bool:
    """Whether there is anything in a request that could be wrong."""
    parts = (operation.path_parameters, operation.query, operation.body)
    return mode is GenerationMode.POSITIVE or any(len(part) for part in parts)


@pytest.mark.slow
async def test_no_request_brings_it_down(visitor: Visitor) -> None:
    """Schemathesis makes requests from the description, right and wrong ones, and checks every answer against it."""
    await seed(visitor)
    load_all_checks()
    # What these take follows from more than their description: what a mapping knows, a span in the past.
    free = {"include-path-regex": "/map/|/pulls/|/explain$", "checks": {"positive_data_acceptance": {"enabled": False}}}
    bearer = {"bearer": {"bearer": visitor.tokens["admin"]}}
    config = SchemathesisConfig.from_dict({"auth": {"openapi": bearer}, "operations": [free]})
    schema = schemathesis.openapi.from_asgi("/openapi.json", visitor.app, config=config)
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    found: list[Any] = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    cases = st.one_of(*(o.as_strategy(generation_mode=mode) for o in found for mode in modes if can(o, mode)))

    @settings(max_examples=400, derandomize=True, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=cases)
    def holds(case: Any) -> None:
        case.call_and_validate()

    holds()
