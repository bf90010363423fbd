"""The demo as `make demo` runs it: the main job with every awkward kind, and the books that prove it."""

import re
from pathlib import Path

import pytest

from tests.acceptance.terminal import Terminal, environment

CHECKS = 13


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_the_demo_proves_that_nothing_is_lost(tmp_path: Path) -> None:
    assert "HUB_ACTOR" not in environment()
    said = Terminal(tmp_path)("demo", "--folder", "demo", within=600)
    held = re.findall(r"^✓ (.+)$", said.out, re.M)
    assert len(held) >= CHECKS, said.out
    assert "✗" not in said.out
    for promise in ("every line of the balance holds", "nothing is left waiting", "at least 400 orders and 80 refunds",
                    "0 lost", "0 duplicates in effect", "0 out of order", "at least four different causes",
                    "the ERP's breaker opened, probed and closed", "the mended group went through"):  # fmt: skip
        assert any(promise in line for line in held), promise
    assert re.search(r"all of it holds, after \d+ s", said.out)
    (order,) = re.findall(r"hub trace (\S+) -c", said.out)
    assert "dead letter" in Terminal(tmp_path)("trace", order, "-c", "demo/hub.toml").out
    assert "letter(s)" in Terminal(tmp_path)("dlq", "groups", "-c", "demo/hub.toml").out
