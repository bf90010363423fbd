"""Plays a page of the documentation: writes its files, types its commands, compares what comes back.

A fenced block is told what it is by the comment before it:

    <!-- file: PATH -->                      the block is that file
    <!-- file: PATH, at the end -->          it is added to that file
    <!-- file: PATH, after: LINE -->         it is added behind that line
    <!-- background: until URL -->           its command keeps running; go on when the URL answers
    <!-- again, until it fits -->            the output may need a while to come out as shown
    <!-- exit: N -->                         the command ends with N instead of 0
    <!-- again, until it fits; exit: N -->   both
    <!-- not run: WHY -->                    for the reader only

A `console` block needs none: lines with "$ " are typed in one shell, the lines below are what must come back; `...`
alone stands for any lines, inside of a line for any text. `text`, `mermaid` and `http` blocks are to be looked at.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hub.chaos import postgres as servers
from hub.processes import free_port
from tests.guards import HANGS

ROOT = Path(__file__).resolve().parents[2]
LOOKED_AT = frozenset({"text", "mermaid", "http"})
_END = "--- end of command"
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d{4,5})")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text, the comment before it, and the line on which it begins."""

    language: str
    text: str
    told: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines, told, at = text.splitlines(), "", 0
    while at < len(lines):
        fence = re.fullmatch(r"( *)(```+)(\w*)", lines[at])
        comment = re.fullmatch(r" *<!-- (.+) -->", lines[at])
        if fence is None:
            if comment or lines[at].strip():
                told = comment[1] if comment else ""
            at += 1
            continue
        start, indent = at + 1, len(fence[1])
        at = next(i for i in range(start, len(lines)) if lines[i].strip() == fence[2])
        body = "\n".join(line[indent:] for line in lines[start:at]) + "\n"
        yield Block(fence[3], body, told, start + 1)
        told, at = "", at + 1


class Reader:
    """Somebody who follows a page in a folder of their own."""

    def __init__(self, folder: Path, replaced: Mapping[str, str] | None = None, source: Path = ROOT) -> None:
        self.folder, self.source = folder, source
        self._replaced = dict(replaced or {})
        self._kept: list[subprocess.Popen[bytes]] = []
        programs = folder.parent / "programs"
        programs.mkdir()
        hub = programs / "hub"
        hub.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m hub "$@"\n')
        hub.chmod(0o755)
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "PYTEST"))}
        self._environment = {
            **clean, "PATH": path, "PYTHONPATH": str(source), "PYTHONWARNINGS": "", "COLUMNS": "200", "NO_COLOR": "1",
            "TERM": "dumb", "HUB_SOURCE": str(source), "HUB_ACTOR": "you", "LC_ALL": "C.UTF-8", "TZ": "UTC",
        }  # fmt: skip
        self._shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"], cwd=folder, env=self._environment, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def follow(self, page: Path) -> None:
        """Play the page from the first to the last block. Raises AssertionError that names the line."""
        text = page.read_text(encoding="utf-8")
        for port in dict.fromkeys(_ADDRESS.findall(text)):
            self._replaced.setdefault(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
        for block in blocks(text):
            where = f"{page.name}:{block.line}"
            if block.told.startswith("file: "):
                self._write(block, where)
            elif block.language in LOOKED_AT or block.told.startswith("not run: "):
                continue
            elif block.language == "console":
                self._type(block, where)
            else:
                raise AssertionError(f"{where}: what is this {block.language or 'block'} for? See tests/docs/runner.py")

    def close(self) -> None:
        """End everything that was started."""
        for process in self._kept:
            process.send_signal(signal.SIGTERM)
        for process in self._kept:
            try:
                process.wait(HANGS)
            except subprocess.TimeoutExpired:
                process.kill()
        self._shell.communicate(timeout=HANGS)

    # -- files ---------------------------------------------------------------------------------------------------

    def _write(self, block: Block, where: str) -> None:
        name, _, how = block.told.removeprefix("file: ").partition(", ")
        path = self.folder / name.replace("$HUB_SOURCE", str(self.source))
        path.parent.mkdir(parents=True, exist_ok=True)
        text = self._there(block.text)
        if how == "at the end":
            path.write_text(path.read_text("utf-8") + "\n" + text, encoding="utf-8")
        elif how.startswith("after: "):
            lines, mark = path.read_text("utf-8").splitlines(keepends=True), how.removeprefix("after: ")
            at = next((i for i, line in enumerate(lines) if line.strip() == mark), None)
            assert at is not None, f"{where}: {name} has no line {mark!r}"
            path.write_text("".join([*lines[: at + 1], text, *lines[at + 1 :]]), encoding="utf-8")
        else:
            assert not how, f"{where}: {how!r} is not known"
            path.write_text(text, encoding="utf-8")

    # -- commands ------------------------------------------------------------------------------------------------

    def _type(self, block: Block, where: str) -> None:
        commands = list(_commands(block.text))
        assert commands, f"{where}: a console block has commands, after '$ '"
        if block.told.startswith("background: until "):
            self._keep(commands[0][0], self._there(block.told.removeprefix("background: until ")), where)
            return
        ending = re.search(r"\bexit: (\d+)", block.told)
        code = int(ending[1]) if ending else 0
        patience = HANGS if "again, until it fits" in block.told else 0.0
        for command, expected in commands:
            last = command == commands[-1][0]
            self._expect(command, expected, code if last else 0, patience, where)

    def _expect(self, command: str, expected: str, code: int, patience: float, where: str) -> None:
        deadline = time.monotonic() + patience
        while True:
            said, ended = self._run(command)
            output = self._here(said)
            fits = ended == code and fitting(expected, output)
            if fits or time.monotonic() > deadline:
                break
            _ended(self._shell, 0.3)
        assert fits, (
            f"{where}: $ {command}\nended with {ended} (expected {code}) and said:\n{output}\nexpected:\n{expected}"
        )

    def _run(self, command: str) -> tuple[str, int]:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        script = f"{{ {self._there(command)}\n}} </dev/null\n__ended=$?; echo; echo '{_END}' $__ended\n"
        self._shell.stdin.write(script)
        self._shell.stdin.flush()
        lines: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(_END):
                said = "".join(lines).removesuffix("\n")
                return said, int(line.removeprefix(_END))
            lines.append(line)
        raise AssertionError(f"the shell ended at: {command}")

    def _keep(self, command: str, url: str, where: str) -> None:
        """Run a command that does not end, with what the shell has exported, and wait for its address to answer."""
        exported, _ = self._run("export -p")
        log = self.folder.parent / f"kept-{len(self._kept)}.log"
        with log.open("wb") as output:
            script = f"{exported}\nexec {self._there(command)}"
            self._kept.append(
                subprocess.Popen(
                    ["bash", "-c", script], cwd=self.folder, env=self._environment, stdout=output, stderr=output
                )
            )
        deadline = time.monotonic() + HANGS
        while time.monotonic() < deadline and not _ended(self._kept[-1], 0.1):
            with suppress(httpx.HTTPError):
                if httpx.get(url, timeout=HANGS).status_code < 500:
                    return
        raise AssertionError(f"{where}: $ {command}\n{url} does not answer:\n{log.read_text('utf-8')}")

    # -- addresses -----------------------------------------------------------------------------------------------

    def _there(self, text: str) -> str:
        """The page's text with the addresses of this run."""
        for shown, real in self._replaced.items():
            text = text.replace(shown, real)
            if shown.startswith("127.0.0.1:"):
                text = text.replace(f"--port {shown[10:]}", f"--port {real[10:]}")
        return text

    def _here(self, text: str) -> str:
        """The opposite, and the folders of this run by the names that the page has for them."""
        for shown, real in self._replaced.items():
            text = text.replace(real, shown)
        return text.replace(str(self.source), "$HUB_SOURCE").replace(str(self.folder), ".")


def _ended(process: subprocess.Popen[Any], seconds: float) -> bool:
    """Whether a process ends within this time: a pause between two attempts that does not outlast it."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.returncode is not None


def fitting(expected: str, output: str) -> bool:
    """Whether an output is what the page shows. Nothing shown: anything will do."""
    if not expected.strip():
        return True
    pattern = ""
    for line in expected.rstrip("\n").split("\n"):
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n"
    return re.fullmatch(pattern, output.rstrip("\n") + "\n") is not None


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command with the output shown for it. A line that ends with a backslash goes on in the next one."""
    command, shown, open_line = "", "", False
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown, open_line = line[2:], "", line.endswith("\\")
        elif open_line:
            command, open_line = f"{command}\n{line}", line.endswith("\\")
        else:
            shown += line + "\n"
    if command:
        yield command, shown


def copy_of_the_source(folder: Path) -> Path:
    """The hub's source in a folder of its own, for pages that add files to it."""
    for name in ("hub", "adapters", "canonical", "dlq", "mappings", "tests", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder
