"""What may be in the repository: nothing of one machine, of one package index, or too big."""

import re
import stat
import tomllib
from collections.abc import Iterator

import pytest

from tests.architecture.sources import PACKAGES, ROOT, kept_files

# Written so that this file does not match itself.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(?:w[o]rk|f[a]rm|r[o]ot|opt/p[y]pi)/",
    "the host of a package index": r"pypi\.[o]rg|pythonhosted\.[o]rg|registry\.n[p]mjs|--(?:extra-)?index-[u]rl",
    "a downloaded artefact's address": r"https?://\S+\.(?:whl|tar\.gz)\b",
    "a private key": r"BEGIN (?:RSA |EC )?PRIVATE [K]EY",
}


def texts() -> Iterator[tuple[str, str]]:
    for name in kept_files():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            yield name, content.decode("utf-8", "replace")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    named = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1} {match.group()}"
        for name, text in texts()
        for match in pattern.finditer(text)
    ]
    assert not named, "\n".join(named)


def test_the_lock_installs_from_any_index() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.findall(r".*(?:://|file:|/).*", lock)
    pinned = re.findall(r"^([a-z0-9.-]+)==\S+", lock, re.MULTILINE)
    assert {"httpx", "tenacity", "pydantic", "jmespath", "sqlalchemy", "apache-airflow-client"} <= set(pinned)
    assert {"pytest", "respx", "hatchling", "editables", "uv"} <= set(pinned)
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert not re.findall(r"^[a-z0-9.-]+(?!==)(?:$|[ <>~!])", lock, re.MULTILINE), "every line is pinned"


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = [
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    missing = [a for a in asked if not re.search(rf"^{re.split(r'[^a-z0-9-]', a)[0]}==", lock, re.MULTILINE)]
    assert not missing, "run `make lock`"


RERUNS = re.compile(
    r"pytest-(?:rerun|retry|flak)|^flaky\b|--(?:reruns|retries|force-flaky)|^\s*(?:reruns|retries) *=", re.MULTILINE
)
"""A failure that is run again hides an error, of the test or of the hub."""


def test_no_run_repeats_what_failed() -> None:
    places = ["pyproject.toml", "requirements.lock", "Makefile", ".ci/run", *_scripts()]
    assert [name for name in places if RERUNS.search((ROOT / name).read_text("utf-8"))] == []


@pytest.mark.parametrize("line", ['"pytest-rerunfailures>=15"', "flaky==3.8.1 \\", "pytest --reruns 2", "reruns = 2"])
def test_a_repetition_is_found(line: str) -> None:
    assert RERUNS.search(f"first\n{line}\n")


def _scripts() -> list[str]:
    return [name for name in kept_files() if name.startswith("scripts/")]


def test_files_are_small() -> None:
    assert [name for name in kept_files() if (ROOT / name).stat().st_size > 1_000_000] == []


def test_commands_can_be_run() -> None:
    commands = [*_scripts(), ".ci/run"]
    assert [name for name in commands if not (ROOT / name).stat().st_mode & stat.S_IXUSR] == []


def test_types_are_published() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").exists()] == []
