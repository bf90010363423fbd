"""A store with a morning's work in it, and the command over it, in this process."""

import asyncio
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from tests.rig import Rig, order
from tests.unit.cli.terminal import Terminal

TWO = """
[destinations.erp]
kind = "http"
url = "https://erp.example.com/documents"
retry = { first = "1s", factor = 2, jitter = 0 }
[destinations.wms]
kind = "http"
url = "https://wms.example.com/documents"
[[routes]]
on = "order"
to = ["erp", "wms"]
[[routes]]
on = "refund"
to = ["erp"]
"""


def _answer(request: httpx.Request) -> httpx.Response:
    refused = request.url.host == "erp.example.com" and b'"W7"' in request.content
    return httpx.Response(422, json={"error": "unknown SKU"}) if refused else httpx.Response(200, json={"ok": True})


async def _morning(folder: Path) -> None:
    """Six orders through, W1 in two versions; W7 refused by the ERP with a successor behind it; dead letters of three
    causes: W8 and W9 by one unknown word, W10 by totals."""
    rig = Rig(folder, "sqlite:///hub.db", TWO)
    rig.answer = _answer
    try:
        for number in range(1, 8):
            await rig.push(order(f"W{number}", minute=number))
        await rig.push(order("W1", minute=1))
        for number in (8, 9):
            await rig.push(order(f"W{number}", status="teleported"))
        await rig.push(order("W10", total="21.00"))
        await rig.push(order("W99"), signature="0" * 64)
        await rig.work()
        await rig.push(order("W1", minute=20, note="please hurry"))
        await rig.push(order("W7", minute=21, note="still there?"))
        await rig.work()
    finally:
        await rig.close()


@pytest.fixture(scope="session")
def _morning_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("morning")
    asyncio.run(_morning(folder))
    return folder


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """`hub run` sets up the logs of its process, which is this one."""
    root = logging.getLogger()
    handlers, level, told = list(root.handlers), root.level, structlog.get_config()
    yield
    structlog.configure(**told)
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def terminal(_morning_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The command in a copy of that folder."""
    folder = tmp_path / "hub"
    shutil.copytree(_morning_folder, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HUB_ACTOR", "lin")
    return Terminal(folder)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """The command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path)
