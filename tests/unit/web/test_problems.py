"""Every error is a problem document that names what is wrong, repeats nothing secret, and shows no traceback."""

from typing import Any

from structlog.testing import capture_logs

from hub.store import views
from tests.rig import order
from tests.unit.web.visitor import Visitor, problem


async def test_an_unknown_address(visitor: Visitor) -> None:
    for path in ("/api/v1/nothing", "/nothing", "/api/v1/orders/", "/docs", "/redoc"):
        answered = await visitor.get(path)
        if path == "/api/v1/orders/":
            assert problem(answered, 422)["errors"][0]["field"] == "path.number"
            continue
        told = problem(answered, 404)
        assert (told["code"], told["instance"]) == ("http.not_found", path)


async def test_a_method_that_is_not_possible(visitor: Visitor) -> None:
    answered = await visitor.post("/api/v1/orders")
    assert problem(answered, 405)["detail"] == "POST is not possible here"
    assert answered.headers["allow"] == "GET"


PARAMETERS: list[tuple[str, dict[str, Any], str]] = [
    ("/api/v1/orders", {"limit": 0}, "query.limit"),
    ("/api/v1/orders", {"limit": 501}, "query.limit"),
    ("/api/v1/orders", {"kind": "letter"}, "query.kind"),
    ("/api/v1/orders", {"review": "perhaps"}, "query.review"),
    ("/api/v1/orders", {"after": "abc"}, "query.after"),
    ("/api/v1/orders", {"after": "9223372036854775808"}, "query.after"),
    ("/api/v1/orders", {"shop": "a\0b"}, "query.shop"),
    ("/api/v1/orders", {"shop": "s" * 129}, "query.shop"),
    ("/api/v1/deliveries", {"state": "lost"}, "query.state"),
    ("/api/v1/deliveries/0", {}, "path.id"),
    ("/api/v1/deliveries/nine", {}, "path.id"),
    ("/api/v1/deliveries/9223372036854775808", {}, "path.id"),
    ("/api/v1/dead-letters", {"state": "gone"}, "query.state"),
]
BODIES: list[tuple[str, Any, str]] = [
    ("/api/v1/dead-letters/1/discard", {"reason": " "}, "body.reason"),
    ("/api/v1/dead-letters/1/discard", {}, "body.reason"),
    ("/api/v1/dead-letters/1/replay", {"dry_run": "yes"}, "body.dry_run"),
    ("/api/v1/dead-letters/1/replay", {"dryrun": True}, "body.dryrun"),
    ("/api/v1/dead-letters/1/notes", {"text": "a\0b"}, "body.text"),
    ("/api/v1/dead-letter-groups/XYZ/replay", {}, "path.fingerprint"),
    ("/api/v1/destinations/erp/breaker", {"state": "ajar"}, "body.state"),
    ("/api/v1/pulls/site", {"from": 17}, "body.from"),
    ("/api/v1/pulls/site", {"from": "yesterday"}, "body.from"),
    ("/api/v1/tokens", {"name": "", "role": "viewer"}, "body.name"),
    ("/api/v1/tokens", {"name": "x", "role": "root"}, "body.role"),
]


async def test_parameters_that_do_not_fit_are_named(visitor: Visitor) -> None:
    for path, params, field in PARAMETERS:
        told = problem(await visitor.get(path, **params), 422)
        assert told["code"] == "http.invalid"
        assert [e["field"] for e in told["errors"]] == [field], f"{path} {params}"
        assert told["errors"][0]["message"]


async def test_members_of_a_body_that_do_not_fit_are_named(visitor: Visitor) -> None:
    for path, body, field in BODIES:
        told = problem(await visitor.post(path, body), 422)
        assert [e["field"] for e in told["errors"]] == [field], f"{path} {body}"


async def test_what_was_sent_is_not_repeated(visitor: Visitor) -> None:
    answered = await visitor.post("/api/v1/tokens", {"name": "x", "role": "geheim-4711", "password": "geheim-4712"})
    assert problem(answered, 422)["errors"]
    assert "geheim" not in answered.text


async def test_a_body_that_is_no_json(visitor: Visitor) -> None:
    headers = visitor.as_("admin") | {"content-type": "application/json"}
    for raw in (b"{", b"\xff\xfe", b"[" * 100_000):
        answered = await visitor.http.post("/api/v1/tokens", content=raw, headers=headers)
        told = problem(answered, answered.status_code)
        assert told["status"] in (400, 422)


async def test_a_body_above_the_limit(visitor: Visitor) -> None:
    limit = visitor.rig.hub.config.hub.body_limit

    async def parts() -> Any:
        for _ in range(12):
            yield b" " * (limit // 10)

    headers = visitor.as_("admin") | {"content-type": "application/json"}
    for path in ("/api/v1/tokens", "/api/v1/map/generic"):
        told = problem(await visitor.http.post(path, content=b" " * (limit + 1), headers=headers), 413)
        assert told["code"] == "http.too_large"
        assert problem(await visitor.http.post(path, content=parts(), headers=headers), 413)["detail"]


async def test_what_is_not_there(visitor: Visitor) -> None:
    for path in ("orders/W9", "trace/W9", "deliveries/9", "dead-letters/9"):
        assert problem(await visitor.get(f"/api/v1/{path}"), 404)["code"] == "desk.not_found"
    for path, body in (
        ("destinations/moon/pause", None),
        ("destinations/moon/resume", None),
        ("destinations/moon/breaker", {"state": "open"}),
        ("dead-letters/9/replay", None),
        ("dead-letters/9/discard", {"reason": "x"}),
        ("dead-letters/9/assign", {"owner": "x"}),
        ("dead-letters/9/notes", {"text": "x"}),
        ("dead-letter-groups/abcdef/replay", None),
        ("dead-letter-groups/abcdef/discard", {"reason": "x"}),
        ("pulls/moon", None),
        ("map/moon", {}),
    ):
        told = problem(await visitor.post(f"/api/v1/{path}", body), 404)
        assert told["code"] == "desk.not_found", path
        assert told["hint"], path


async def test_a_store_that_is_away(visitor: Visitor) -> None:
    await visitor.get("/api/v1/orders")
    await visitor.rig.run(lambda connection: connection.exec_driver_sql("drop table documents"))
    with capture_logs() as logged:
        answered = await visitor.get("/api/v1/orders")
    told = problem(answered, 503)
    assert told["code"] == "store.unavailable"
    assert answered.headers["retry-after"]
    assert "documents" not in answered.text
    assert [(e["event"], e.get("incident", "")) for e in logged] == [
        ("store.trouble", ""),
        ("store.failed", told["incident"]),
    ]
    assert [e for e in logged if e.get("exc_info")] == [], "it is no defect"


async def test_a_defect_is_logged_under_its_incident(visitor: Visitor) -> None:
    await visitor.push(order())
    await visitor.rig.work()
    spoil = "update documents set body = x'00'"
    await visitor.rig.run(lambda connection: connection.exec_driver_sql(spoil))
    with capture_logs() as logged:
        answered = await visitor.get("/api/v1/orders/W1001")
    told = problem(answered, 500)
    assert told["incident"] in told["hint"]
    assert [(e["event"], e["incident"], e["path"]) for e in logged] == [
        ("request.failed", told["incident"], "/api/v1/orders/W1001")
    ]
    assert logged[0]["exc_info"]


async def test_answers_carry_the_headers_that_keep_browsers_quiet(visitor: Visitor) -> None:
    await visitor.push(order())
    for path in ("/api/v1/orders", "/nothing", "/", "/healthz"):
        headers = (await visitor.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
    assert await visitor.rig.read(views.message_states)


async def test_the_index_loads_nothing_from_anywhere(visitor: Visitor) -> None:
    page = (await visitor.http.get("/")).text
    assert "/api/v1/orders" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
