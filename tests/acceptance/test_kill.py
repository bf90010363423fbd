"""`kill -9` of a real hub process while five shops push and pull: nothing lost, nothing twice. `make soak` has more."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from hub import demo, wiring
from hub.processes import free_port
from tests.acceptance.deployment import eventually
from tests.guards import HANGS


@pytest.mark.slow
def test_the_balance_holds_after_a_kill(tmp_path: Path) -> None:
    port = free_port()
    with demo.sandbox(tmp_path, orders=60, spread=8) as base, httpx.Client(base_url=base, timeout=HANGS) as control:
        config = demo.write_config(tmp_path, base, port)
        control.post("/control/receiver/wms", json={"drop_every": 9}).raise_for_status()
        control.post("/control/receiver/erp", json={"fail_from": 5, "fail_until": 8}).raise_for_status()
        with demo.hub_process(tmp_path, config, port) as process:
            control.post("/control/start", json={"hub_url": f"http://127.0.0.1:{port}"}).raise_for_status()
            eventually(lambda: control.get("/control/report").json()["receivers"]["wms"]["taken"] >= 10)
            os.kill(process.pid, signal.SIGKILL)
            assert process.wait(HANGS) == -signal.SIGKILL
        with demo.hub_process(tmp_path, config, port):
            store = wiring.build(config).store
            try:
                demo.settle(control, store, lambda _view: None)
                outcome = demo.Outcome()
                demo.books(control, store, outcome)
                missing = demo.lost(control, store)
                audit = control.get("/control/audit/erp").json()
            finally:
                store.close()
    assert outcome.balance
    assert all(row["holds"] for row in outcome.balance), outcome.balance
    assert sum(row["waiting"] for row in outcome.balance) == 0
    assert missing == []
    assert (audit["missing"], audit["differing"]) == ([], [])
    for name, book in outcome.receivers.items():
        assert book["duplicates_in_effect"] == 0, name
        assert book["out_of_order"] == 0, name
    counted = dict(outcome.checks)
    for what, holds in counted.items():
        if "counted what the hub says" in what:
            assert holds, what
