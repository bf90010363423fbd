"""What a wheel holds is what a checkout holds: packages, types, migrations, schemas and the mappings beside them."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.guards import HANGS

ROOT = Path(__file__).parents[2]
SHIPPED = ("hub", "adapters", "canonical", "dlq", "mappings")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from this folder."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=HANGS)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.mark.parametrize("folder", SHIPPED)
def test_every_file_is_shipped(wheel: zipfile.ZipFile, folder: str) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files
    assert files - set(wheel.namelist()) == set()


def test_nothing_else_is_shipped(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} <= set(SHIPPED)


def test_the_command_is_shipped(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "hub = hub.cli:main" in wheel.read(entry_points).decode()
