"""Several processes on PostgreSQL: one that serves, some that work, one of them killed in the middle."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub import demo, wiring
from hub.processes import free_port, running, stop
from hub.store import Store, views
from tests.acceptance.deployment import eventually, stopped
from tests.acceptance.terminal import HUB
from tests.guards import HANGS


@contextmanager
def working(config: Path, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """`hub work` as a process of its own."""
    with (config.parent / f"{name}.log").open("wb") as sink:
        command = [*HUB, "work", "-c", str(config)]
        process = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)
        try:
            yield process
        finally:
            stop(process)


def delivered(folder: Path, name: str) -> int:
    """How many deliveries a process has tried, by its own log."""
    return (folder / f"{name}.log").read_text("utf-8").count("delivery.attempted")


def quiet(control: httpx.Client, store: Store) -> bool:
    """Everything was played, nothing moves, and every pull has looked once more since."""
    report = control.get("/control/report").json()
    with store.look() as connection:
        if not report["done"] or demo.progress(connection, report)["waiting"]:
            return False
        since = time.time()
        pulls = [(p["shop"], p["kind"]) for p in views.pull_states(connection)]

    def looked() -> bool:
        with store.look() as connection:
            return {
                (p["shop"], p["kind"]) for p in views.pull_states(connection) if (p["reached"] or 0) > since
            } == set(pulls)

    eventually(looked)
    with store.look() as connection:
        return bool(demo.progress(connection, report)["waiting"] == 0)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_the_others_go_on(tmp_path: Path, postgres_url: str) -> None:
    port = free_port()
    with ExitStack() as stack:
        base = stack.enter_context(demo.sandbox(tmp_path, orders=80, spread=12))
        control = stack.enter_context(httpx.Client(base_url=base, timeout=HANGS))
        config = demo.write_config(tmp_path, base, port)
        text = config.read_text("utf-8").replace("sqlite:///hub.db", postgres_url)
        config.write_text(text.replace("[hub]\n", '[hub]\nlease = "3s"\n'), encoding="utf-8")
        control.post("/control/receiver/wms", json={"drop_every": 9}).raise_for_status()
        control.post("/control/receiver/erp", json={"hang_every": 7, "hang_for": 1}).raise_for_status()
        command = [*HUB, "serve", "-c", str(config)]
        serving = stack.enter_context(running(command, tmp_path / "serve.log", port))
        doomed = stack.enter_context(working(config, "first"))
        second = stack.enter_context(working(config, "second"))
        store = wiring.build(config).store
        stack.callback(store.close)
        control.post("/control/start", json={"hub_url": f"http://127.0.0.1:{port}"}).raise_for_status()
        eventually(lambda: all(delivered(tmp_path, name) > 5 for name in ("first", "second")))
        os.kill(doomed.pid, signal.SIGKILL)
        assert doomed.wait(HANGS) == -signal.SIGKILL
        third = stack.enter_context(working(config, "third"))
        assert stopped(second, signal.SIGTERM) == 0, "the third one finds what the others left"
        eventually(lambda: quiet(control, store))
        outcome = demo.Outcome()
        demo.books(control, store, outcome)
        audit = control.get("/control/audit/erp").json()
        assert [stopped(process, signal.SIGTERM) for process in (third, serving)] == [0, 0]
    holds(outcome, audit)
    names = ("serve", "first", "second", "third")
    assert [delivered(tmp_path, name) > 0 for name in names] == [False, True, True, True]
    assert not any("Traceback" in (tmp_path / f"{name}.log").read_text("utf-8") for name in names)


def holds(outcome: demo.Outcome, audit: dict[str, Any]) -> None:
    """The books agree, and what the ERP has is what the platforms say in the end."""
    assert outcome.balance
    assert all(row["holds"] and row["waiting"] == 0 for row in outcome.balance), outcome.balance
    for name, book in outcome.receivers.items():
        assert (book["duplicates_in_effect"], book["out_of_order"]) == (0, 0), name
    counted = [(what, well) for what, well in outcome.checks if "counted what the hub says" in what]
    assert len(counted) == 3
    assert all(well for _, well in counted), counted
    assert (audit["missing"], audit["differing"]) == ([], [])
