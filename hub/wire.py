"""The only place that talks to other systems: runs a Talk over httpx, with one short retry, timeout and a masked log.

httpx keeps its API; under it works aiohttp's connection pool (hub.transport), several times cheaper under load.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from adapters.port import Talk
from canonical.errors import InDoubt, Refused, Unavailable
from hub import clock
from hub.masking import mask_text
from hub.store import Store, state
from hub.transport import Client, Network, TooLarge, Transport

T = TypeVar("T")
Admit = Callable[[], Awaitable[None]]
"""What is awaited before a request leaves, and raises where it may not."""

NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
ANSWER_KEPT = 2000
"""Characters of an answer kept in the exchange log."""
PATIENCE = 5.0
"""Seconds that a pull waits for its shop's budget before it comes back later."""
MAX_TURNS = 20
"""Requests in one talk; more means that an adapter loops."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """The answer to one request, masked and cut; `status` is None where none came."""

    status: int | None
    seconds: float
    answer: str


@dataclass(slots=True)
class Log:
    """What was said in one talk. `sent` tells whether a request may have reached the other side."""

    exchanges: list[Exchange] = field(default_factory=list)
    sent: bool = False

    @property
    def status(self) -> int | None:
        """Status of the last answer."""
        return self.exchanges[-1].status if self.exchanges else None

    @property
    def answer(self) -> str:
        """The last answer."""
        return self.exchanges[-1].answer if self.exchanges else ""


def client(
    mounts: dict[str, httpx.AsyncBaseTransport] | None = None, networks: Sequence[Network] = ()
) -> httpx.AsyncClient:
    """The hub's HTTP client: one per process. Redirects are not followed: a POST must not wander."""
    return Client(transport=Transport(networks), mounts=mounts or {}, follow_redirects=False)


def budget(store: Store, shop: str, rate: float | None) -> Admit | None:
    """What waits for a shop's turn before each call: all kinds and all processes share one budget.

    It raises Unavailable where the turn is far off: the pull comes back then, and holds nothing meanwhile.
    """
    if rate is None:
        return None

    async def admit() -> None:
        while wait := await store.run(state.take_budget, f"shop/{shop}", rate, clock.now().timestamp()):
            if wait > PATIENCE:
                told = f"the budget of shop {shop} is used up"
                raise Unavailable(told, retry_after=wait, throttled=True, code="pull.budget")
            await asyncio.sleep(wait)

    return admit


async def converse(
    http: httpx.AsyncClient,
    talk: Talk[T],
    timeout: float,
    log: Log | None = None,
    admit: Admit | None = None,
) -> T:
    """Run a talk to its result. `timeout` (seconds) bounds each answer; `admit` is awaited before each request leaves.

    Raises what `admit` and the talk raise; Unavailable where the other side was never reached; InDoubt where a request
    was sent and its answer lost.
    """
    log = log if log is not None else Log()
    try:
        request = next(talk)
        for _ in range(MAX_TURNS):
            request = talk.send(await _exchange(http, request, timeout, log, admit))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        talk.close()
    hint = "This is a defect of the adapter. Keep the letter and report it."
    raise Refused("the adapter did not come to an end", code="wire.endless_talk", hint=hint)


async def _exchange(
    http: httpx.AsyncClient, request: httpx.Request, timeout: float, log: Log, admit: Admit | None
) -> httpx.Response:
    request.extensions = {**request.extensions, "timeout": _limits(timeout)}
    if admit is not None:
        await admit()
    started, before = clock.tick(), log.sent
    log.sent = True  # whatever breaks from here on may break after the request went out
    try:
        response = await _send(http, request, admit)
    except NEVER_CONNECTED as error:
        log.sent = before
        _keep(log, None, started, type(error).__name__)
        raise Unavailable(
            f"{_host(request)} cannot be reached: {_plain(error)}", code="delivery.unreachable"
        ) from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        log.sent = before
        hint = "Mend the address in hub.toml, restart, then replay."
        raise Refused(f"not a usable address: {_plain(error)}", code="delivery.bad_url", hint=hint) from error
    except TooLarge as error:
        hint = "Ask the other side for smaller answers; what was sent may have taken effect."
        raise Refused(str(error), code="delivery.answer_too_large", hint=hint) from error
    except httpx.HTTPError as error:
        raise _lost(log, request, started, error) from error
    _keep(log, response.status_code, started, _readable(response))
    return response


@cache
def _limits(timeout: float) -> Mapping[str, float | None]:
    return httpx.Timeout(timeout, connect=min(timeout, 5.0)).as_dict()


async def _send(http: httpx.AsyncClient, request: httpx.Request, admit: Admit | None) -> httpx.Response:
    """A connection that was never made carried nothing: trying again at once cannot do anything twice."""
    try:
        return await http.send(request)
    except httpx.ConnectError:
        return await _send_again(http, request, admit)


@retry(
    retry=retry_if_exception_type(httpx.ConnectError), stop=stop_after_attempt(2), wait=wait_fixed(0.05), reraise=True
)
async def _send_again(http: httpx.AsyncClient, request: httpx.Request, admit: Admit | None) -> httpx.Response:
    if admit is not None:
        await admit()
    return await http.send(request)


def _lost(log: Log, request: httpx.Request, started: float, error: httpx.HTTPError) -> InDoubt:
    """A request went out and its answer did not come: it may have taken effect."""
    _keep(log, None, started, type(error).__name__)
    return InDoubt(f"the answer of {_host(request)} was lost: {_plain(error)}")


def _keep(log: Log, status: int | None, started: float, answer: str) -> None:
    log.exchanges.append(Exchange(status, clock.tick() - started, mask_text(answer[:ANSWER_KEPT])))


def _readable(response: httpx.Response) -> str:
    return response.content[: 4 * ANSWER_KEPT].decode("utf-8", "replace")


def _host(request: httpx.Request) -> str:
    return request.url.host or str(request.url)


def _plain(error: Exception) -> str:
    return str(error) or type(error).__name__
