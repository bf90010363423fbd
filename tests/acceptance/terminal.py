"""The hub's command as its users run it: a process of its own in a folder with a hub.toml."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guards import HANGS

HUB = (sys.executable, "-m", "hub")
PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """This process's own, without what would colour or configure the command; the project can be imported."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "FORCE_COLOR"))}
    return {**kept, "PYTHONPATH": str(PROJECT), **more}


class Terminal:
    """Runs the command in a folder. It must never show a traceback, nor colours where there is no terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        *words: object,
        given: bytes = b"",
        code: int = 0,
        variables: Mapping[str, str] | None = None,
        within: float = HANGS,
    ) -> Said:
        done = subprocess.run(
            [*HUB, *map(str, words)],
            cwd=self.folder,
            input=given,
            capture_output=True,
            timeout=within,
            check=False,
            env=environment(**(variables or {})),
        )
        said = Said(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
        assert "Traceback" not in said.out + said.err, said.err
        assert "\x1b[" not in said.out + said.err
        assert said.code == code, f"{words}: exit {said.code}\n{said.out}\n{said.err}"
        return said
