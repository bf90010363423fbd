"""The application as a server: uvicorn inside the process's own event loop, stopped by an event."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from canonical.errors import ConfigError

log = structlog.get_logger("hub.web")

GRACE = 15
"""Seconds that requests under way may take to finish when the process is told to stop."""
KEEP_ALIVE = 30
BACKLOG = 2048


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the fastest event loop there is here: uvloop's where it is installed. For asyncio.Runner."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(app: ASGIApp, host: str, port: int, stopping: asyncio.Event) -> None:
    """Serve until `stopping` is set, then finish what is under way. Raises ConfigError if the port is taken."""
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    watch = asyncio.create_task(_stop(server, stopping))
    bound = listening.getsockname()
    log.info("listening", host=bound[0], port=bound[1])
    try:
        await server.serve(sockets=[listening])
    finally:
        watch.cancel()
        listening.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _stop(server: uvicorn.Server, stopping: asyncio.Event) -> None:
    await stopping.wait()
    server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    bare = host.removeprefix("[").removesuffix("]")
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bare or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError) as error:
        raise ConfigError([f"hub.listen: {where} is no address: {error}"]) from error
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError([f"hub.listen: {_plain(error, where, port)}"]) from error
    listening.setblocking(False)
    return listening


def _plain(error: OSError, where: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken by another process ({where}); stop it, or choose another address"
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {port}; choose one above 1023"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no such address: {where}"
    return f"cannot listen on {where}: {error.strerror}"
