"""Who may import whom. Modules against modules: the contracts in pyproject.toml. Libraries: the lists below."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, Source, modules
from tests.guards import HANGS

# What a package may know of the world outside. hub may use every dependency that pyproject.toml names.
LIBRARIES = {
    "canonical": {"pydantic", "pydantic_core"},
    "dlq": {"sqlalchemy"},
    "adapters": {"httpx", "pydantic", "orjson", "xmltodict", "cryptography"},
}
SANDBOX = {"fastapi", "starlette", "uvicorn"}
COMES_WITH = {"pydantic_core": "pydantic", "starlette": "fastapi", "airflow_client": "apache-airflow-client"}


def test_the_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def imported(source: Source) -> Iterator[tuple[int, str]]:
    """Line and top name of every import from outside the project and the standard library."""
    for node in source.walk():
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in PACKAGES:
                yield getattr(node, "lineno", 0), top


@pytest.mark.parametrize("package", LIBRARIES)
def test_a_package_knows_only_its_libraries(package: str) -> None:
    foreign = [
        f"{source.path}:{line} imports {name}"
        for source in modules(package)
        for line, name in imported(source)
        if name not in LIBRARIES[package] | (SANDBOX if source.path.startswith("adapters/sandbox/") else set())
    ]
    assert not foreign, "\n".join(foreign)


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[^a-z0-9-]", text)[0] for text in project["dependencies"]}
    undeclared = {
        f"{source.path}:{line} imports {name}"
        for source in modules(*PACKAGES)
        for line, name in imported(source)
        if COMES_WITH.get(name, name.replace("_", "-")) not in declared
    }
    assert not undeclared
