"""A command loads what it needs: what is heavy stays out of help, usage errors and looks into the store.

What is loaded is asked of a process of its own, after the command ended in it.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from hub.cli.app import MODULES, app
from hub.store import Store
from tests.guards import HANGS

HEAVY = {
    "aiohttp",
    "alembic",
    "fastapi",
    "httpx",
    "jmespath",
    "psycopg",
    "pydantic",
    "rich",
    "sqlalchemy",
    "uvicorn",
    "watchfiles",
}
SERVER = {"aiohttp", "alembic", "fastapi", "psycopg", "uvicorn", "watchfiles"}
"""What only a running hub needs, or a store that is not up to date."""

_RUN = """
import json, sys
from hub.cli import main
try:
    main()
except SystemExit as end:
    code = end.code or 0
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def loaded(folder: Path, *words: str) -> tuple[int, set[str]]:
    """The command's exit code, and the modules that are loaded when it ends."""
    command = [sys.executable, "-c", _RUN, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANGS, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("dlq", "--help")], ids=" ".join)
def test_help_loads_nothing_heavy(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, modules = loaded(tmp_path, *words)
    assert code == 0
    assert HEAVY & modules == set()


@pytest.mark.parametrize(
    "words", [("nonsense",), ("--nonsense",), ("dlq", "show"), ("mapping", "explain")], ids=" ".join
)
def test_usage_errors_load_nothing_heavy(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, modules = loaded(tmp_path, *words)
    assert code == 2
    assert HEAVY & modules == set()


def test_a_look_into_the_store_loads_no_server_and_no_mappings(tmp_path: Path) -> None:
    (tmp_path / "hub.toml").write_text('[hub]\nstore = "sqlite:///hub.db"\n', encoding="utf-8")
    store = Store("sqlite:///hub.db", folder=tmp_path)
    store.prepare()
    store.close()

    code, modules = loaded(tmp_path, "dlq", "groups")

    assert code == 0
    assert SERVER & modules == set()
    assert {"hub.mapping", "httpx", "jmespath", "sqlalchemy.dialects.postgresql"} & modules == set()


@pytest.mark.parametrize("words", [("map", "generic", "order.json"), ("mapping", "list")], ids=" ".join)
def test_work_on_mappings_loads_no_store_and_no_server(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "order.json").write_text("{}", encoding="utf-8")
    code, modules = loaded(tmp_path, *words)
    assert code in (0, 1)
    assert (SERVER | {"sqlalchemy"}) & modules == set()


def test_every_command_is_in_the_module_that_is_named_for_it() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert list(commands) == [name for names in MODULES.values() for name in names]
    assert [name for name, command in commands.items() if command.name != name] == []
