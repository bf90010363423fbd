"""Reserving ports and running real processes on them: for the demo, the benchmark, chaos and the tests."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from canonical.errors import ConfigError

READY_WITHIN = 200.0
"""Seconds until a process that neither listens nor ends is given up: a guard against hanging, never a measure of the
machine. Waiting ends with the process; on a machine with much else to do, starting takes many times what it takes."""
GRACE = 100.0
"""The same for its end, after which it is killed: several times what the hub itself allows what is under way."""


@contextmanager
def running(command: Sequence[str], log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes into a file, once it listens on the port; stopped cleanly at the end."""
    with log.open("ab") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)  # noqa: S603  # our own
        try:
            wait_for(port, process, log)
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for what does not end in time."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something listens; raises ConfigError with the end of the process's output if it does not."""
    deadline = time.perf_counter() + READY_WITHIN
    while time.perf_counter() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    said = log.read_text("utf-8", "replace")[-2000:]
    raise ConfigError([f"nothing listens on port {port}; the process said: {said}"])


def wait_until_told(word: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a process has logged an event; raises ConfigError with the end of its output if it does not."""
    deadline = time.perf_counter() + READY_WITHIN
    while time.perf_counter() < deadline and process.poll() is None:
        if f'"event":"{word}"' in log.read_text("utf-8", "replace"):
            return
        time.sleep(0.05)
    raise ConfigError([f"it does not say {word!r}; the process said: {log.read_text('utf-8', 'replace')[-2000:]}"])


def free_port() -> int:
    """Reserve a TCP port, on every local address, until `release_port` or the end of this process.

    A port that is only looked up can be given to somebody else before its server listens, or while the server is being
    restarted. So the socket that finds the port stays bound, and never listens: the kernel then gives the port to no
    `bind(0)` and to no outgoing connection, of any process. A server that names the port and sets SO_REUSEADDR, as all
    common ones do, may still listen on it, as often as it likes. (This is how Linux reads SO_REUSEADDR.)
    """
    dual = socket.has_dualstack_ipv6()
    with socket.socket(socket.AF_INET6 if dual else socket.AF_INET) as holder:
        if dual:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("", 0))
        port = int(holder.getsockname()[1])
        _reserved[port] = holder.detach()  # a plain descriptor: it is to stay open, and is no leak to warn of
    return port


def release_port(port: int) -> None:
    """End a reservation of `free_port`, for processes that make many."""
    os.close(_reserved.pop(port))


_reserved: dict[int, int] = {}
"""Each reserved port, and the descriptor of the socket that holds it."""
