"""The command, called in this process as at a terminal that is none."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from hub.cli.app import app


@dataclass(frozen=True, slots=True)
class Said:
    """What the command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """The command in a folder. It must never end in a traceback, nor colour what no terminal shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "hub.toml"

    def __call__(self, *words: object, given: bytes | None = None) -> Said:
        done = CliRunner().invoke(app, [str(w) for w in words], input=given)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        said = Said(done.exit_code, done.stdout, done.stderr)
        assert "Traceback" not in said.out + said.err
        assert "\x1b[" not in said.out + said.err
        return said
