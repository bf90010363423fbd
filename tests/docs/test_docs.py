"""The documentation is true: its examples run, its generated parts are fresh, its links lead somewhere."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from canonical import DOCUMENTS, checks, errors
from hub import mapping, reference
from hub.cli import docs
from hub.cli.app import app
from hub.mapping.grammar import AS
from hub.reference.adapter_table import BEGIN, END, LINKS_BEGIN, LINKS_END
from hub.reference.errors import CHECKS, PROBLEMS, given_codes, leaves
from hub.reference.mapping import CONVERSIONS
from tests.docs.runner import ROOT, Reader, blocks, copy_of_the_source, fitting

HOW_TO = ROOT / "docs" / "how-to"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMAND = get_command(app)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------- examples


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Callable[..., Reader]]:
    """Somebody who follows a page in an empty folder, with a copy of the hub's source beside it."""
    missing = [program for program in ("bash", "curl", "openssl") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"the pages use {', '.join(missing)}, which this machine does not have")
    made: list[Reader] = []

    def begin(replaced: Mapping[str, str] | None = None) -> Reader:
        folder = tmp_path / "here"
        folder.mkdir()
        made.append(Reader(folder, replaced, copy_of_the_source(tmp_path / "source")))
        return made[0]

    yield begin
    for one in made:
        one.close()


PLAYED = ("add-a-channel", "add-a-destination", "write-a-mapping", "test-a-mapping", "change-a-mapping")
SIMULATED = "replay-a-failing-seed"


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [*PLAYED, "handle-dead-letters", "watch-the-platforms", "use-a-platform-by-settings", SIMULATED]
)
def test_a_how_to_works_as_written(page: str, reader: Callable[..., Reader]) -> None:
    one = reader()
    one.follow(HOW_TO / f"{page}.md")
    assert any(one.folder.iterdir())


@pytest.mark.slow
def test_the_hub_runs_on_postgresql_as_written(reader: Callable[..., Reader], postgres_url: str) -> None:
    one = reader({"postgresql+psycopg://hub@127.0.0.1:5432/hub": postgres_url})
    one.follow(HOW_TO / "run-on-postgresql.md")
    assert (one.folder / "hub.toml").is_file()


def test_every_how_to_is_followed() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert [p.stem for p in HOW_TO.glob("*.md") if f'"{p.stem}"' not in source and f'"{p.name}"' not in source] == []


# ---------------------------------------------------------------- generated parts


def test_the_generated_pages_are_fresh() -> None:
    assert reference.stale(ROOT, COMMAND) == [], "run `make docs`"


def test_a_stale_page_is_found_and_written(tmp_path: Path) -> None:
    root = copy_of_the_source(tmp_path)
    for name in ("README.md", "README.zh-CN.md"):
        (root / name).write_text(f"# Hub\n\n{BEGIN}\n\nold\n\n{END}\n", encoding="utf-8")
    gone = root / "docs" / "reference" / "channels" / "gone.md"
    gone.parent.mkdir(parents=True)
    gone.touch()
    (root / "docs" / "index.md").write_text(f"# Pages\n\n{LINKS_BEGIN}{LINKS_END}\n", encoding="utf-8")

    wrote = reference.write(root, COMMAND)

    assert {"README.md", "docs/reference/cli.md", "docs/reference/channels/gone.md"} <= set(wrote)
    assert not gone.exists()
    assert reference.stale(root, COMMAND) == []


@pytest.fixture
def command() -> typer.Typer:
    """A command of its own around `docs`."""
    made = typer.Typer()
    docs.register(made)
    made.callback()(lambda: None)
    return made


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The hub's source with its documentation, to be changed."""
    root = copy_of_the_source(tmp_path / "checkout")
    shutil.copytree(ROOT / "docs", root / "docs")
    for name in ("README.md", "README.zh-CN.md"):
        shutil.copy(ROOT / name, root / name)
    return root


def test_the_command_writes_what_it_found_stale(command: typer.Typer, checkout: Path) -> None:
    page = checkout / "docs" / "reference" / "errors.md"
    page.write_text("old", encoding="utf-8")
    runner = CliRunner()

    checked = runner.invoke(command, ["docs", "--check", "--folder", str(checkout)])
    assert checked.exit_code == 1
    assert "stale docs/reference/errors.md" in checked.output
    assert page.read_text("utf-8") == "old"

    written = runner.invoke(command, ["docs", "--folder", str(checkout)])
    assert written.exit_code == 0
    assert "wrote docs/reference/errors.md" in written.output
    assert runner.invoke(command, ["docs", "--check", "--folder", str(checkout)]).exit_code == 0


def test_the_command_needs_a_checkout(command: typer.Typer, tmp_path: Path) -> None:
    refused = CliRunner().invoke(command, ["docs", "--folder", str(tmp_path)])
    assert refused.exit_code == 1
    assert "no documentation" in refused.output


def test_every_leaf_of_the_error_tree_is_told() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    told = [error for error in leaves() if f"| `{error.code}` | `{error.__name__}` |" in page]
    assert told == list(leaves())
    assert len(told) >= 10


def test_codes_given_where_an_error_is_raised_are_found() -> None:
    found = given_codes(ROOT)
    assert found["delivery.unreachable"].of == "Unavailable"
    assert found["wire.timestamp"].of == "SignatureRejected"
    assert found["desk.not_found"].hint
    assert all(e.messages and hasattr(errors, e.of) for e in found.values())


def codes_in(*paths: Path, prefix: str) -> set[str]:
    return {c for p in paths for c in re.findall(rf'"({prefix}\.[a-z_]+)"', p.read_text(encoding="utf-8"))}


def test_every_problem_and_every_check_is_told() -> None:
    folder = Path(mapping.__file__ or "").parent
    assert codes_in(Path(checks.__file__), prefix="check") == set(CHECKS)
    assert codes_in(*folder.glob("*.py"), prefix="mapping") == set(PROBLEMS)


def test_every_conversion_is_told() -> None:
    assert [word for word, *_ in CONVERSIONS] == list(AS)


@pytest.mark.parametrize("kind", list(DOCUMENTS))
def test_every_field_of_a_document_is_told(kind: str) -> None:
    page = (ROOT / "docs" / "reference" / "canonical.md").read_text(encoding="utf-8")
    section = page.partition(f"## `{kind}/1`")[2].partition("\n## ")[0]
    model = DOCUMENTS[kind]
    names = [info.alias or name for name, info in model.model_fields.items()]
    assert [n for n in names if f"| `{n}` |" not in section] == []


def test_no_secret_of_an_adapter_goes_unmarked() -> None:
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    named = r"^\| `([a-z_.|\\]*(?:secret|token|password|bearer|session))` \| ([^|]+) \|[^|]*\| ([^|]+) \|"
    rows = re.findall(named, page, re.MULTILINE)
    assert len(rows) > 5
    # a table's own keys are rows themselves; where a token lies in an answer is no token
    shown = [(key, takes) for key, takes, what in rows if takes != "table" and not what.startswith("JMESPath")]
    assert [key for key, takes in shown if "secret" not in takes] == []


# ---------------------------------------------------------------- links and snippets


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower().replace("`", "")).strip().replace(" ", "-") for head in heads}


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    own = [p for p in (ROOT / "docs").rglob("*.md") if p.name != "index.md"]
    assert [name_of(p) for p in own if f"({p.relative_to(ROOT / 'docs').as_posix()})" not in index] == []


def test_both_readmes_have_the_same_parts() -> None:
    heads: list[Any] = []
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        found = re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
        links = set(re.findall(r"\]\((docs/[^)]+)\)", text))
        heads.append((found, links, [b.language for b in blocks(text)]))
    assert heads[0] == heads[1]


# ---------------------------------------------------------------- the runner itself


def test_shown_output_is_compared_line_by_line() -> None:
    assert fitting("a\nb\n", "a\nb\n")
    assert fitting("a\n...\nd\n", "a\nb\nc\nd\n")
    assert fitting("took ... s\n", "took 12 s")
    assert fitting("", "anything")
    assert not fitting("a\n", "a\nb\n")
    assert not fitting("a\nc\n", "a\nb\n")
    assert not fitting("took ... s\n", "took 12 s\nand more\n")


def test_an_example_that_is_wrong_fails(reader: Callable[..., Reader], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n```\n", encoding="utf-8")
    one = reader()
    with pytest.raises(AssertionError, match=r"page\.md:2"):
        one.follow(page)


def test_a_page_is_played_in_one_shell(reader: Callable[..., Reader], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- file: a/names.txt -->\n```text\nfirst\nlast\n```\n\n<!-- file: a/names.txt, after: first -->\n"
        "```text\nsecond\n```\n\n```console\n$ export WORD=well\n$ cat a/names.txt\nfirst\nsecond\nlast\n"
        "$ echo $WORD \\\n  done\nwell done\n```\n\n<!-- exit: 3 -->\n```console\n$ (exit 3)\n```\n",
        encoding="utf-8",
    )
    one = reader()
    one.follow(page)
    assert (one.folder / "a" / "names.txt").read_text(encoding="utf-8") == "first\nsecond\nlast\n"
