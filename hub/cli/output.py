"""How the command speaks: tables for people, JSON for machines, colours only on a terminal, one way to fail."""

import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from canonical.errors import ConfigError, HubError
from hub import wiring
from hub.store import Connection, Store, StoreError

WELL, PROBLEMS, USAGE, REFUSED = 0, 1, 2, 3
"""Exit codes: all well; problems found; wrong usage; refused by policy or configuration."""

PIPED_WIDTH = 180
"""Columns of a table that goes into a file or a pipe, where no terminal sets the width."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

ConfigOption = typer.Option(
    Path("hub.toml"), "--config", "-c", envvar="HUB_CONFIG", help="Path of hub.toml.", show_default=True
)
JsonOption = typer.Option(False, "--json", help="JSON for machines instead of a table.")
LimitOption = typer.Option(50, "--limit", min=1, max=1000, help="Rows at most.")
BeforeOption = typer.Option(None, "--before", help="Go on from this id (the last one of the page before).")


def fail(message: str, *, hint: str = "", code: int = PROBLEMS) -> NoReturn:
    """Say what is wrong and what to do, and end."""
    err.print(f"[red]error:[/] {escape(message)}")
    if hint:
        err.print(f"[dim]try:[/] {escape(hint)}")
    raise typer.Exit(code)


@contextmanager
def errors() -> Iterator[None]:
    """Errors that a person can act on come out as text, never as a traceback."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            err.print(f"[red]✗[/] {escape(problem)}")
        fail(f"{len(error.problems)} problem(s) in the configuration", hint="hub check", code=REFUSED)
    except HubError as error:
        fail(error.message, hint=error.hint)
    except StoreError as error:
        fail(f"the store: {str(error).splitlines()[0]}", hint="hub doctor, and the same again")
    except OverflowError:
        fail("a number is larger than any id", code=USAGE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(WELL) from None


@contextmanager
def reading(config: Path) -> Iterator[tuple[wiring.Hub, Connection]]:
    """The store of a hub.toml, to look at."""
    with errors():
        hub = opened(config)
        try:
            with hub.store.look() as connection:
                yield hub, connection
        finally:
            hub.store.close()


@contextmanager
def writing(config: Path) -> Iterator[tuple[wiring.Hub, Connection]]:
    """The store of a hub.toml, to change; committed at the end."""
    with errors():
        hub = opened(config)
        try:
            with hub.store.begin() as connection:
                yield hub, connection
        finally:
            hub.store.close()


def opened(config: Path, *, follow_files: bool = False) -> wiring.Hub:
    """A hub whose tables are up to date. `follow_files`: as wiring.build has it."""
    hub = wiring.build(config, follow_files=follow_files)
    hub.store.prepare()
    return hub


def store_only(config: Path) -> Store:
    """The store alone, for commands that need no adapters."""
    hub = opened(config)
    return hub.store


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
