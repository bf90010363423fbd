"""The hub as an ASGI application: webhooks, REST API, probes, metrics."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from canonical.errors import ConfigError, HubError
from hub.flow import Flow
from hub.store import StoreError
from hub.web import api, hooks, intake, probes, problems
from hub.web.auth import Gate
from hub.wiring import Hub

_ABOUT = """Orders, refunds and stock from every channel to ERP, WMS and tax, with nothing lost.

Every operation under /api/v1 needs a bearer token (`hub token create NAME --role ROLE`). Roles, each with the rights of
those before it: **viewer** reads, personal data masked; **support** reads it in the clear and mends dead letters;
**operator** runs pulls and destinations; **admin** makes tokens.

Lists come newest first in pages: give `next` of one page as `after` for the following one, or follow its `Link` header.
Times are ISO 8601 in UTC. Errors are problem+json (RFC 9457)."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app(hub: Hub, flow: Flow) -> FastAPI:
    """The application over a hub that is built and started. It opens and closes nothing by itself."""
    app = _Application(
        title="Order connector hub",
        summary="Webhooks, API, probes and metrics.",
        description=_ABOUT,
        version=_version(),
        openapi_tags=api.TAGS,
        docs_url=None,  # Swagger UI and ReDoc would be loaded from a stranger's server
        redoc_url=None,
        redirect_slashes=False,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        generate_unique_id_function=_operation_id,
    )
    app.state.hub, app.state.flow, app.state.gate = hub, flow, Gate(hub.store)
    limit = hub.config.hub.body_limit
    app.router.routes.insert(0, Route(hooks.PATH, hooks.endpoint(flow, limit)))
    app.include_router(api.router)
    app.include_router(probes.router)
    _handle_errors(app)
    app.add_middleware(intake.BodyLimit, limit=limit)
    app.add_middleware(ExceptionMiddleware, handlers={Exception: problems.defect})
    app.add_middleware(Shield)
    return app


def create_server(hub: Hub, flow: Flow) -> ASGIApp:
    """The application with its webhooks in front: a push passes none of the API's layers."""
    app, hook = create_app(hub, flow), hooks.endpoint(flow, hub.config.hub.body_limit)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        shop = scope["path"].removeprefix(hooks.PREFIX) if scope["type"] == "http" else ""
        if not shop or "/" in shop or not scope["path"].startswith(hooks.PREFIX):
            await app(scope, receive, send)
            return
        scope["path_params"] = {"shop": shop}
        await hook(scope, receive, send)

    return front


class _Application(FastAPI):
    """FastAPI with the parts of the description that it does not find by itself."""

    def openapi(self) -> dict[str, Any]:
        known = self.openapi_schema is not None
        schema = super().openapi()
        if not known or "Problem" not in schema["components"]["schemas"]:
            parts = problems.ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
            schema["components"]["schemas"] |= parts.pop("$defs", {}) | {"Problem": parts}
            schema["components"]["schemas"].pop("HTTPValidationError", None)
            schema["components"]["schemas"].pop("ValidationError", None)
            schema["paths"][hooks.PATH] = hooks.described()
        return schema


def _handle_errors(app: FastAPI) -> None:
    app.add_exception_handler(problems.Refusal, problems.refused)
    app.add_exception_handler(HTTPException, problems.http_error)
    app.add_exception_handler(RequestValidationError, problems.invalid)
    app.add_exception_handler(HubError, problems.hub_error)
    app.add_exception_handler(ConfigError, problems.config_error)
    app.add_exception_handler(StoreError, problems.store_error)
    app.add_exception_handler(intake.TooSlow, problems.too_slow)
    app.add_exception_handler(intake.Gone, problems.gone)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _version() -> str:
    try:
        return version("order-connector-hub")
    except PackageNotFoundError:
        return "0"


class Shield:
    """Middleware: headers that keep browsers from doing anything with an answer but show it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/hooks/"):
            await self._app(scope, receive, send)
            return

        async def shielded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, shielded)
