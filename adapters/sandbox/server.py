"""One ASGI application, on one port, for all imitated platforms, receivers and their steering."""

import asyncio
import base64
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.sandbox.control import Control
from adapters.sandbox.douyin import Douyin
from adapters.sandbox.feed import Feed
from adapters.sandbox.jd import JD
from adapters.sandbox.platform import WALL_CLOCK, Account, BadDay, Clock, Platform, Shop, answer
from adapters.sandbox.pushing import WAITS
from adapters.sandbox.receiver import Behaviour, Receiver
from adapters.sandbox.shopify import Shopify
from adapters.sandbox.site import Site
from adapters.sandbox.taobao import Taobao
from adapters.sandbox.traffic import orders

PLATFORMS: tuple[type[Platform], ...] = (Taobao, JD, Douyin, Shopify, Site)
MANNERS = {"erp": Behaviour(), "wms": Behaviour(), "tax": Behaviour(style="body")}
"""The receivers, and how each answers when nobody tells it otherwise. The tax system says no with a 200."""


def _whsec(name: str) -> str:
    return "whsec_" + base64.b64encode(f"sandbox-{name}-signing-key".encode()).decode()


def account(code: str) -> Account:
    """What the sandbox gave the seller; invented, and the same on every machine."""
    number = 88000 + [p.code for p in PLATFORMS].index(code)
    tokens = (f"sandbox-{code}-token", f"sandbox-{code}-refresh")
    return Account(str(number), f"sandbox-{code}-secret", *tokens, push_secret=_whsec(code))


@dataclass(frozen=True, slots=True)
class Setup:
    """What to build. `orders` is the number of stories over all shops; `limits` are calls per second by platform."""

    seed: int = 7
    orders: int = 400
    spread_over: int = 15
    limits: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, tuple[BadDay, ...]] = field(default_factory=dict)
    behaviours: Mapping[str, Behaviour] = field(default_factory=dict)
    push_waits: tuple[float, ...] = WAITS
    clock: Clock = WALL_CLOCK


class Sandbox:
    """Platforms and receivers by name, and one application over all of them."""

    def __init__(self, setup: Setup) -> None:
        self.setup, clock = setup, setup.clock
        self.platforms: dict[str, Platform] = {
            cls.code: cls(
                Shop(cls.code, account(cls.code)),
                clock=clock,
                limit=setup.limits.get(cls.code),
                days=setup.days.get(cls.code, ()),
            )
            for cls in PLATFORMS
        }
        self.receivers = {
            name: Receiver(name, secret=_whsec(name), behaviour=setup.behaviours.get(name, MANNERS[name]), clock=clock)
            for name in MANNERS
        }
        self.control = Control(self.platforms, self.receivers, self.begin)
        self.app: ASGIApp = _Connection(self._application())

    def begin(self, hub_url: str, shops: Mapping[str, str]) -> Feed:
        """Write the stories for this moment, and start them."""
        now = self.setup.clock()
        codes = list(self.platforms)
        share, rest = divmod(self.setup.orders, len(codes))
        stories = {
            code: orders(code, self.setup.seed, share + (index < rest), now, self.setup.spread_over)
            for index, code in enumerate(codes)
        }
        feed = Feed(self.platforms, stories, self.setup.clock)
        feed.start(hub_url, int(now), shops=shops, waits=self.setup.push_waits)
        return feed

    def _application(self) -> Starlette:
        mounts = [Mount(f"/{code}", routes=platform.routes()) for code, platform in self.platforms.items()]
        mounts += [Mount(f"/receivers/{name}", routes=receiver.routes()) for name, receiver in self.receivers.items()]
        mounts.append(Mount("/control", routes=self.control.routes()))

        @contextlib.asynccontextmanager
        async def life(_: Starlette) -> AsyncIterator[None]:
            yield
            await self.control.close()

        return Starlette(routes=[Route("/", _greeting), *mounts], lifespan=life)


def build(setup: Setup | None = None) -> Sandbox:
    """A sandbox, ready to be served or to be called in process through `.app`."""
    return Sandbox(setup or Setup())


def configuration(base_url: str) -> dict[str, dict[str, dict[str, Any]]]:
    """What hub.toml says to talk to a sandbox at this address: {"shops": ..., "destinations": ...}, plain values."""
    base, accounts = base_url.rstrip("/"), {cls.code: account(cls.code) for cls in PLATFORMS}
    tb, jd, dy, sh = (accounts[code] for code in ("taobao", "jd", "douyin", "shopify"))
    site_source = {"auth": {"bearer": accounts["site"].token}, "records": "items"}
    shops: dict[str, dict[str, Any]] = {
        "taobao": {
            "app_key": tb.app_key,
            "app_secret": tb.app_secret,
            "session": tb.token,
            "refresh_token": tb.refresh_token,
            "gateway": f"{base}/taobao/router/rest",
        },
        "jd": {
            "app_key": jd.app_key,
            "app_secret": jd.app_secret,
            "access_token": jd.token,
            "refresh_token": jd.refresh_token,
            "push_secret": jd.push_secret,
            "vender_id": "88001",
            "oauth": f"{base}/jd",
            "gateway": f"{base}/jd/routerjson",
        },
        "douyin": {
            "app_key": dy.app_key,
            "app_secret": dy.app_secret,
            "access_token": dy.token,
            "refresh_token": dy.refresh_token,
            "gateway": f"{base}/douyin",
        },
        "shopify": {
            "shop": "sandbox.myshopify.com",
            "access_token": sh.token,
            "refresh_token": sh.refresh_token,
            "client_id": sh.app_key,
            "client_secret": sh.app_secret,
            "gateway": f"{base}/shopify",
        },
        "site": {
            "signature": {"scheme": "standard-webhooks", "secret": accounts["site"].push_secret},
            "source": {
                kind: {**site_source, "url": f"{base}/site/api/{kind}s", "fetch": f"{base}/site/api/{kind}s/{{key}}"}
                for kind in ("order", "refund")
            },
        },
    }
    return {"shops": shops, "destinations": {name: _destination(base, name) for name in MANNERS}}


def _destination(base: str, name: str) -> dict[str, Any]:
    """The tax system answers 200 to everything and says in the body what it means."""
    inbox = f"{base}/receivers/{name}/documents"
    settings: dict[str, Any] = {
        "kind": "http",
        "url": inbox + "?kind={kind}&shop={shop}&key={key}&subject={subject}",
        "secret": _whsec(name),
        "reference": "body.reference",
        "reason": "body.code",
        "look_up": {"url": inbox + "/{idempotency_key}", "reference": "body.reference"},
    }
    if name == "tax":
        settings |= {"ok_if": "body.success", "duplicate_if": "body.code == 'DUPLICATE'"}
    return settings


async def serve(host: str, port: int, setup: Setup | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    with listen(host, port) as listener:
        await serve_on(listener, setup)


async def serve_on(listener: socket.socket, setup: Setup | None = None) -> None:
    """The same on a socket that is bound already."""
    config = uvicorn.Config(build(setup).app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    for number in (signal.SIGTERM, signal.SIGINT):
        # Uvicorn raises the signal once more when it has stopped; this takes it, so that the process ends well.
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)
    await uvicorn.Server(config).serve(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(256)
    return listener


class _Connection:
    """Tells applications how to end a connection without an answer. Uvicorn has no other way than its transport."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if scope["type"] == "http" and transport is not None:
            scope["sandbox.abort"] = transport.abort
        await self._app(scope, receive, send)


async def _greeting(request: Request) -> Response:  # an endpoint's signature
    return answer({"sandbox": "imitations for trying the hub; nothing here is the real platform"})
