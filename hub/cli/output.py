"""How the command speaks: tables for people, JSON for machines, colours only on a terminal, one way to fail.

This module, as all of hub.cli, imports nothing that takes long to load: what a command needs beside its options is
imported by the function that uses it. So help and usage errors cost no more than the command line itself.
"""

import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from hub.store import Connection, Store
    from hub.wiring import Hub

WELL, PROBLEMS, USAGE, REFUSED = 0, 1, 2, 3
"""Exit codes: all well; problems found; wrong usage; refused by policy or configuration."""

PIPED_WIDTH = 180
"""Columns of a table that goes into a file or a pipe, where no terminal sets the width."""


class Printer:
    """A rich console that is made when something is first printed."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> "Console":
        """The console itself, for what rich draws by itself."""
        from rich.console import Console

        width = None if self._stderr or sys.stdout.isatty() else PIPED_WIDTH
        return Console(stderr=self._stderr, highlight=False, soft_wrap=True, width=width)

    @property
    def is_terminal(self) -> bool:
        """Whether a person may be watching."""
        return self.console.is_terminal

    def print(self, *what: Any, style: str | None = None, markup: bool | None = None, end: str = "\n") -> None:
        """Print what rich can show; `markup`: whether texts hold rich's markup."""
        self.console.print(*what, style=style, markup=markup, end=end)


out = Printer()
err = Printer(stderr=True)

ConfigOption = typer.Option(
    Path("hub.toml"), "--config", "-c", envvar="HUB_CONFIG", help="Path of hub.toml.", show_default=True
)
JsonOption = typer.Option(False, "--json", help="JSON for machines instead of a table.")
LimitOption = typer.Option(50, "--limit", min=1, max=1000, help="Rows at most.")
BeforeOption = typer.Option(None, "--before", help="Go on from this id (the last one of the page before).")


def fail(message: str, *, hint: str = "", code: int = PROBLEMS) -> NoReturn:
    """Say what is wrong and what to do, and end."""
    from rich.markup import escape

    err.print(f"[red]error:[/] {escape(message)}")
    if hint:
        err.print(f"[dim]try:[/] {escape(hint)}")
    raise typer.Exit(code)


@contextmanager
def errors() -> Iterator[None]:
    """Errors that a person can act on come out as text, never as a traceback."""
    from canonical.errors import ConfigError, HubError

    try:
        yield
    except typer.Exit:
        raise
    except ConfigError as error:
        from rich.markup import escape

        for problem in error.problems:
            err.print(f"[red]✗[/] {escape(problem)}")
        fail(f"{len(error.problems)} problem(s) in the configuration", hint="hub check", code=REFUSED)
    except HubError as error:
        fail(error.message, hint=error.hint)
    except OverflowError:
        fail("a number is larger than any id", code=USAGE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(WELL) from None
    except _store_error() as error:  # last: only for what is none of the above it is loaded
        fail(f"the store: {str(error).splitlines()[0]}", hint="hub doctor, and the same again")


def _store_error() -> type[Exception]:
    from hub.store import StoreError

    return StoreError


@contextmanager
def reading(config: Path) -> "Iterator[Connection]":
    """The store of a hub.toml, to look at. Mappings are not loaded."""
    with errors():
        store = opened_store(config)
        try:
            with store.look() as connection:
                yield connection
        finally:
            store.close()


@contextmanager
def writing(config: Path) -> "Iterator[Connection]":
    """The store of a hub.toml, to change; committed at the end. Mappings are not loaded."""
    with errors():
        store = opened_store(config)
        try:
            with store.begin() as connection:
                yield connection
        finally:
            store.close()


@contextmanager
def reading_hub(config: Path) -> "Iterator[tuple[Hub, Connection]]":
    """A hub with its store, to look at."""
    with errors():
        hub = opened(config)
        try:
            with hub.store.look() as connection:
                yield hub, connection
        finally:
            hub.store.close()


@contextmanager
def writing_hub(config: Path) -> "Iterator[tuple[Hub, Connection]]":
    """A hub with its store, to change; committed at the end."""
    with errors():
        hub = opened(config)
        try:
            with hub.store.begin() as connection:
                yield hub, connection
        finally:
            hub.store.close()


def opened(config: Path, *, follow_files: bool = False) -> "Hub":
    """A hub whose tables are up to date. `follow_files`: as wiring.build has it."""
    from hub import wiring

    hub = wiring.build(config, follow_files=follow_files)
    hub.store.prepare()
    return hub


def opened_store(config: Path) -> "Store":
    """The store alone, up to date, for commands that need no mappings. Refuses what else is wrong in hub.toml."""
    from canonical.errors import ConfigError
    from hub import adapting
    from hub import config as configuration
    from hub.store.opening import open_store

    settings = configuration.load(config)
    problems = adapting.problems_of(settings)
    store = open_store(settings, problems)
    if problems:
        store.close()
        raise ConfigError(problems)
    store.prepare()
    return store


def emit(data: Any) -> None:
    """JSON on standard output, one document."""
    shown = (sys.stdout.encoding or "").lower().startswith("utf")  # elsewhere JSON's own escapes lose no sign
    sys.stdout.write(json.dumps(data, ensure_ascii=not shown, indent=2, default=plain) + "\n")


def plain(value: Any) -> Any:
    """What JSON does not know, as text."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def stamped(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its times (columns named *_at, or at) as ISO 8601 instead of epoch seconds."""
    return {
        k: iso(v) if (k == "at" or k.endswith("_at")) and isinstance(v, int | float) and v else v
        for k, v in row.items()
    }


def iso(stamp: float) -> str:
    """Epoch seconds as ISO 8601, UTC."""
    return datetime.fromtimestamp(stamp, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(stamp: float | None, now: float) -> str:
    """How long ago, for people."""
    if not stamp:
        return "-"
    seconds = max(0, int(now - stamp))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "nothing here") -> None:
    """A table for people."""
    from rich.markup import escape
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        shown.add_column(name, overflow="fold")
    count = 0
    for row in rows:
        shown.add_row(*(escape("" if v is None else str(v)) for v in row))
        count += 1
    out.print(shown if count else f"[dim]{empty}[/]")


def actor() -> str:
    """Who acts, for the audit log: the person at this terminal."""
    return os.environ.get("HUB_ACTOR") or getpass.getuser()
