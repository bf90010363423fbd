"""`hub mapping new`: a first mapping, drafted from a sample."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub import clock
from hub.cli.mapping.folder import MappingsOption, own_folder
from hub.cli.output import (
    PROBLEMS,
    REFUSED,
    USAGE,
    WELL,
    ConfigOption,
    JsonOption,
    emit,
    err,
    errors,
    fail,
    out,
)

if TYPE_CHECKING:
    from hub.mapping.catalog import Catalog
    from hub.mapping.drafting import Draft

KINDS = ("order", "refund")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("new")(new)


def new(
    channel: str = typer.Argument(..., help="A channel's code, or any new name: a folder for the channel `generic`."),
    sample: Path = typer.Option(..., "--sample", "-s", help="What the platform answers or pushes: JSON or XML."),
    kind: str = typer.Option("order", "--kind", help="order or refund."),
    name: str = typer.Option("", "--name", help="Name of the file in the channel's folder; default: the kind."),
    force: bool = typer.Option(False, "--force", help="Replace a mapping that is there."),
    mappings: Path | None = MappingsOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Draft a mapping from a sample. It runs at once; what the sample does not tell is marked TO DECIDE.

    Each row says how sure it is and why: by the field's name, by what its values look like, by what adds up. Doubtful
    ones are comments, with their alternatives. Words whose meaning is not plain are left to you, never guessed.
    Exit 1 where the sample itself does not go through yet; the problems say what to fill in.

    Example: hub mapping new harbor --sample order.json
    """
    from hub import adapting
    from hub.mapping.catalog import Catalog
    from hub.mapping.drafting import draft
    from hub.mapping.drafting.borrowing import words_of

    name = name or kind
    _demand(channel, kind, name)
    with errors():
        folder = own_folder(config, mappings)
        file = folder / "channels" / channel / f"{name}.toml"
        if file.exists() and not force:
            fail(f"{file} is there already", hint="--name OTHER writes another file, --force replaces it", code=REFUSED)
        where, records = _records(channel, kind, sample)
        full = f"{channel}/{name}"
        catalogs = [Catalog(place) for place in dict.fromkeys((folder, adapting.mappings_folder())) if place.is_dir()]
        for catalog in catalogs:
            catalog.load_what_can_be()
        known = words_of(c.mapping(n) for c in catalogs for n in c.names() if n != f"channels/{full}")
        made = draft(kind, records, name=full, source=sample.name, known=known, now=clock.now())
        if folder.is_dir() and (rivals := _rivals(catalogs[0], full, kind)):
            made.share(rivals)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(made.text, encoding="utf-8")
        except OSError as error:
            fail(f"{file}: {error.strerror}", hint="--mappings FOLDER writes it elsewhere", code=REFUSED)
    shop = _shop(channel, where, kind, made)
    if as_json:
        emit(_result(file, made, shop))
    else:
        _show(file, sample, made, shop, records=len(records))
    raise typer.Exit(PROBLEMS if made.problems else WELL)


def _demand(channel: str, kind: str, name: str) -> None:
    if kind not in KINDS:
        fail(f"--kind is {' or '.join(KINDS)}, not {kind!r}", code=USAGE)
    for word in (channel, name):
        if not _NAME.fullmatch(word):
            fail(
                f"{word!r} is no name: small letters, digits, - and _",
                hint="hub mapping new my-shop --sample FILE",
                code=USAGE,
            )


def _rivals(catalog: "Catalog", name: str, kind: str) -> list[str]:
    """Other mappings of the folder that take every record of the kind: which of them counts has to be said."""
    folder = f"channels/{name.partition('/')[0]}/"
    others = [catalog.mapping(n) for n in catalog.names() if n.startswith(folder) and n != f"channels/{name}"]
    return [m.file for m in others if m.kind == kind and m.accepts is None and not m.extends]


def _records(channel: str, kind: str, sample: Path) -> tuple[str, list[dict[str, Any]]]:
    """The records of the sample, as the channel's adapter hands them over, else by their shape. Raises NotASample."""
    import adapters
    from adapters.port import Envelope
    from canonical.errors import HubError, NotUnderstood
    from hub import adapting
    from hub.mapping.drafting import read_sample, records_in

    try:
        raw = sample.read_bytes()
    except OSError as error:
        fail(f"{sample}: {error.strerror}", code=USAGE)
    data = read_sample(raw)
    if channel in adapters.codes("channels") and channel != "generic":
        adapter = adapting.unconfigured(adapters.load("channels", channel))
        body = raw.decode("utf-8", "replace") if raw.lstrip()[:1] == b"<" else data
        try:
            found = [e.body for e in adapter.read(body, kind) if isinstance(e, Envelope)]
        except NotUnderstood:
            found = []
        except HubError as error:
            fail(error.message, hint="This is the answer to a failed call, not data: save a page or a record.")
        if found:
            return "", found
    return records_in(data, kind)


def _shop(channel: str, where: str, kind: str, made: "Draft") -> str:
    """The section of hub.toml for a new name; "" for a channel that has an adapter."""
    import adapters

    if channel in adapters.codes("channels"):
        return ""
    lines = [f"[shops.{channel}]", 'channel = "generic"', f'mapping = "{channel}"']
    settings = {"records": where, "kind": f"'{kind}'", "key": made.key, "revision": made.revision}
    return "\n".join([*lines, *(f"{key} = {_quoted(text)}" for key, text in settings.items() if text)])


def _short(line: str) -> str:
    """A line of the draft in a few words: a row by its name and what is said of it."""
    name, _, rest = line.partition(" = ")
    return line if line.startswith("#") else f"{name}: {rest.rpartition('  # ')[2]}"


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def _result(file: Path, made: "Draft", shop: str) -> dict[str, Any]:
    return {
        "file": str(file),
        "rows": made.rows,
        "missing": made.missing,
        "to_decide": made.to_decide,
        "documents": len(made.documents),
        "problems": [p.as_dict() for p in made.problems],
        "shop": shop,
    }


def _show(file: Path, sample: Path, made: "Draft", shop: str, *, records: int) -> None:
    sure = sum(row["sure"] for row in made.rows)
    doubtful = f"{len(made.rows) - sure} doubtful ones as comments"
    out.print(f"[bold]{file}[/]: {sure} rows, {doubtful}, {len(made.missing)} fields not found")
    if made.to_decide:
        out.print("to decide:")
        numbers = {line.strip(): number for number, line in reversed(list(enumerate(made.text.splitlines(), 1)))}
        for line in made.to_decide:
            out.print(f"  line {numbers[line]}: {_short(line)}", markup=False)
    for problem in made.problems:
        err.print(
            f"✗ {problem.rule}: found {problem.found or 'nothing'}, expected {problem.expected}",
            style="red",
            markup=False,
        )
        if problem.hint:
            err.print(f"  try: {problem.hint}", markup=False)
    out.print(f"of {records} record(s) in the sample {len(made.documents)} go through")
    channel = file.parent.name
    if shop:
        out.print("for hub.toml:")
        out.print("  " + shop.replace("\n", "\n  "), markup=False)
    code, option = ("generic", f" --shop {channel}") if shop else (channel, "")
    out.print(f"[dim]look: hub map {code} {sample}{option} --json; keep it right: hub mapping record {sample}[/]")
