"""Starting real processes on loopback and waiting for them, for the demo and the benchmark."""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from canonical.errors import ConfigError

READY_WITHIN = 30.0
GRACE = 25.0


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
    """A TCP port on loopback that nobody uses now, and that this process was not given before: whoever was may not
    listen yet."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port


_given: set[int] = set()
