"""`hub mapping check | schema`: what is wrong with a mapping, and the grammar for editors."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub.cli.mapping.folder import MappingsOption, folder_of, named
from hub.cli.output import PROBLEMS, REFUSED, WELL, ConfigOption, JsonOption, emit, err, errors, out

if TYPE_CHECKING:
    from hub.mapping.catalog import Catalog
    from hub.mapping.lint import Finding


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("check")(check)
    app.command("schema")(schema)


def check(
    name: str = typer.Argument("", help="Only this: taobao, or taobao/order."),
    strict: bool = typer.Option(False, "--strict", help="Warnings count as errors."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """Say what is wrong with mappings, with file, line, column and key: what does not load, and what loads but cannot
    do what it seems to.

    Among the findings: a refund that can cancel an order, branches that never match, words and fields that the cases
    have and the mapping does not know, personal data that nobody masks, amounts without a unit, times without a zone.
    What is right as it is gets silenced in the file, with its reason: [[allow]] with code, key and why.
    Exit 1 if there are errors (with --strict: anything), 3 if a mapping does not load.

    Example: hub mapping check taobao --strict
    """
    from hub.mapping.catalog import Catalog
    from hub.mapping.lint import lint

    with errors():
        folder = folder_of(config, mappings)
        catalog = Catalog(folder)
        broken = catalog.load_what_can_be()
        names = _meant(catalog, name, broken)
        mine = [problem for problem in broken if not name or _concerns(problem, name)]
        found = lint(catalog, names)
    errors_, warnings = ([f for f in found if f.severity == severity] for severity in ("error", "warning"))
    if as_json:
        emit({"mappings": names, "broken": mine, "findings": [finding.as_dict() for finding in found]})
    else:
        _print(folder, mine, found)
        out.print(f"{len(names)} checked: {len(mine)} problem(s), {len(errors_)} error(s), {len(warnings)} warning(s)")
    raise typer.Exit(REFUSED if mine else PROBLEMS if errors_ or (strict and warnings) else WELL)


def schema(
    file: Path | None = typer.Argument(None, help="Write it there; else to standard output.", show_default=False),
) -> None:
    """The JSON Schema of mapping files, by which editors complete and check them (Taplo, VS Code).

    Example: hub mapping schema mappings/mapping.schema.json
    """
    from hub.mapping.schema import schema_of

    text = json.dumps(schema_of(), indent=2, ensure_ascii=False) + "\n"
    if file is None:
        typer.echo(text, nl=False)
        return
    file.write_text(text, encoding="utf-8")
    out.print(f"wrote {file}; the first line of a mapping names it: #:schema ../../{file.name}")


def _meant(catalog: "Catalog", name: str, broken: list[str]) -> list[str]:
    if not name:
        return catalog.names()
    inside = [full for full in catalog.names() if full.partition("/")[2].startswith(f"{name}/")]
    if inside:
        return inside
    return [] if any(_concerns(problem, name) for problem in broken) else [named(catalog, name)]


def _concerns(problem: str, name: str) -> bool:
    short = name.removeprefix("channels/").removeprefix("destinations/")
    return f"/{short}.toml:" in problem or f"/{short}/" in problem or "/tables/" in problem


def _print(folder: Path, broken: list[str], found: "list[Finding]") -> None:
    from hub.mapping.lint import RULES

    for problem in broken:
        err.print(f"✗ {problem}", style="red", markup=False)
    for finding in found:
        colour = "red" if finding.severity == "error" else "yellow"
        said = finding.place.says(f"{finding.severity} {finding.code}: {finding.message}")
        err.print(said, style=colour, markup=False)
        if finding.text:
            err.print(_pointed(folder, finding), markup=False)
    for code in Counter(finding.code for finding in found):
        err.print(f"[dim]{code}: {RULES[code][2]}[/]")


def _pointed(folder: Path, finding: "Finding") -> str:
    """The line of the file that has the expression, with a caret under it; the expression where no line has it."""
    try:
        line = (folder.parent / finding.place.file).read_text("utf-8").splitlines()[finding.place.line - 1]
    except (OSError, IndexError):
        return f"    {finding.text}"
    at = line.find(finding.text)
    return f"    {line}\n    {' ' * at}^" if at >= 0 else f"    {finding.text}\n    ^"
