"""A small deployment: an own site that pushes, a Taobao shop of the sandbox to be pulled, its ERP, and an archive."""

import hashlib
import hmac
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import tomlkit

from adapters.sandbox.server import configuration
from hub.processes import free_port, running
from tests.acceptance.terminal import HUB, PROJECT, Terminal
from tests.guards import HANGS
from tests.rig import order

T = TypeVar("T")
SECRET = "front-door"
SITE = {
    "channel": "generic",
    "pull": False,
    "signature": {"scheme": "hmac-sha256-hex", "header": "x-signature", "secret": SECRET},
}
ROUTES = [{"on": "order", "to": ["erp", "archive"]}, {"on": "refund", "to": ["archive"]}]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A folder with hub.toml and its own mappings; `control` steers the sandbox."""

    terminal: Terminal
    port: int
    control: httpx.Client

    @property
    def folder(self) -> Path:
        return self.terminal.folder

    def run(self) -> Any:
        """`hub run`, up and listening; stopped cleanly at the end."""
        return running([*HUB, "run", "-c", str(self.folder / "hub.toml")], self.folder / "hub.log", self.port)

    def push(self, record: Any, shop: str = "site") -> int:
        """A signed push; its status."""
        raw = json.dumps(record, ensure_ascii=False).encode()
        signed = {"x-signature": hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()}
        return httpx.post(f"http://127.0.0.1:{self.port}/hooks/{shop}", content=raw, headers=signed).status_code

    def archived(self) -> list[dict[str, Any]]:
        """What the archive holds, in the order in which it came."""
        files = sorted((self.folder / "archive").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]

    def log(self) -> str:
        return (self.folder / "hub.log").read_text("utf-8", "replace")


def eventually(what: Callable[[], T]) -> T:
    """The first truthy answer."""
    deadline = time.perf_counter() + HANGS
    while not (found := what()):
        assert time.perf_counter() < deadline, "it does not happen"
        time.sleep(0.1)
    return found


@contextmanager
def deployed(folder: Path, base: str, **taobao: Any) -> Iterator[Deployment]:
    """A deployment beside a sandbox at `base`; `taobao` adds to that shop's settings."""
    port, plain = free_port(), configuration(base)
    shutil.copytree(PROJECT / "mappings", folder / "mappings")
    erp = plain["destinations"]["erp"] | {"retry": {"first": "300ms", "factor": 2, "most": "1s"}, "timeout": "20s"}
    config = {
        "hub": {"store": "sqlite:///hub.db", "listen": f"127.0.0.1:{port}", "mappings": "mappings"},
        "shops": {"site": SITE, "taobao": {"channel": "taobao", "pull": False} | plain["shops"]["taobao"] | taobao},
        "destinations": {"erp": erp, "archive": {"kind": "file", "path": "archive"}},
        "routes": ROUTES,
    }
    (folder / "hub.toml").write_text(tomlkit.dumps(config), encoding="utf-8")
    with httpx.Client(base_url=base, timeout=HANGS) as control:
        yield Deployment(Terminal(folder), port, control)


def stopped(process: subprocess.Popen[bytes], number: int) -> int:
    """Send a signal; the exit code. It must come by itself: nobody kills the process meanwhile."""
    process.send_signal(number)
    return process.wait(HANGS)


def sold(number: str, sku: str = "MUG-BLUE-350", **changes: Any) -> dict[str, Any]:
    """An order of something that the sandbox's ERP knows."""
    record = order(number, **changes)
    record["items"][0]["sku"] = sku
    return record
