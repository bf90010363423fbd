"""`hub map`: try a mapping on what a platform answered or pushed."""

import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub import clock
from hub.cli.output import PROBLEMS, USAGE, WELL, emit, err, errors, fail, out, table

if TYPE_CHECKING:
    from canonical.errors import HubError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("map")(map_file)


def map_file(
    channel: str = typer.Argument(..., help="CHANNEL or CHANNEL/KIND, such as taobao or taobao/refund."),
    file: str = typer.Argument(..., help="What the platform answered or pushed; - reads standard input."),
    shop: str = typer.Option("", "--shop", help="Use this shop of hub.toml: its settings, tenant and mapping."),
    config: Path = typer.Option(Path("hub.toml"), "--config", "-c", help="Path of hub.toml, used with --shop."),
    mappings: Path | None = typer.Option(None, "--mappings", help="Folder of mappings instead of the hub's own."),
    as_json: bool = typer.Option(False, "--json", help="JSON: documents, problems, hints."),
) -> None:
    """Show what a platform's answer or push becomes. No store, no network. Exit 0: no problems; 1: some."""
    import adapters
    from canonical.errors import HubError

    code, _, kind = channel.partition("/")
    if code not in adapters.codes("channels"):
        near = difflib.get_close_matches(code, adapters.codes("channels"), 1)
        known = f"did you mean {near[0]}?" if near else f"there are: {', '.join(adapters.codes('channels'))}"
        fail(f"unknown channel {code!r}", hint=known, code=USAGE)
    kinds = adapters.load("channels", code).kinds
    if kind and kind not in kinds:
        fail(f"{code} has no {kind!r}", hint=f"there are: {', '.join(f'{code}/{k}' for k in kinds)}", code=USAGE)
    with errors():
        try:
            result = _try(code, kind or None, _read(file), shop, config, mappings)
        except HubError as error:
            hint = _hint(error)
            if as_json:
                problem = {"code": error.code, "hint": hint, "found": error.message}
                emit({"documents": [], "problems": [problem], "hints": []})
            fail(error.message, hint=hint)
    if as_json:
        emit(result)
    else:
        _show(result)
    raise typer.Exit(PROBLEMS if result["problems"] else WELL)


def _try(code: str, kind: str | None, raw: bytes, shop: str, config: Path, mappings: Path | None) -> dict[str, Any]:
    import adapters
    from canonical.errors import ConfigError
    from hub import adapting
    from hub.mapping.catalog import Catalog
    from hub.trial import try_mapping

    if shop:
        from hub import wiring  # with all that a running hub needs

        hub = wiring.build(config)
        front = hub.shops.get(shop)
        if front is None:
            raise ConfigError([f"no shop {shop!r} in {config}; there are: {', '.join(hub.shops)}"])
        return try_mapping(
            hub.catalog, front.channel, front.code, kind, raw, clock.now(),
            folder=front.mappings, overlay=front.overlay, tenant=front.tenant, shop=shop,
        )  # fmt: skip
    adapter = adapters.load("channels", code)
    problems: list[str] = []
    catalog = Catalog(mappings or adapting.mappings_folder())
    catalog.load()
    if problems:
        raise ConfigError(problems)
    return try_mapping(catalog, adapting.unconfigured(adapter), code, kind, raw, clock.now())


def _hint(error: "HubError") -> str:
    """What to do at a command line: the class's own hint is for somebody who has a dead letter before them."""
    from canonical.errors import Refusal

    if error.hint != type(error).hint:
        return error.hint
    if isinstance(error, Refusal):
        return "This is the platform's answer to a failed call, not data; the channel's page tells what the code means."
    return "Give what the platform answers or pushes: a page, a single record or a push body, as it came."


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}", code=USAGE)


def _show(result: dict[str, Any]) -> None:
    from rich.markup import escape

    for document in result["documents"]:
        kind = str(document["schema"]).partition("/")[0]
        number = document.get("order_no") if kind == "order" else document.get("refund_no")
        facts = {k: document[k] for k in ("state", "payment", "fulfilment", "phase", "shippable") if k in document}
        out.print(f"[bold]{kind} {escape(str(number))}[/]  " + "  ".join(f"{k} {v}" for k, v in facts.items()))
        if document.get("lines"):
            columns = ("line_no", "sku", "title", "quantity", "unit_price", "amount", "refund")
            table(columns, [[line.get(c) for c in columns] for line in document["lines"]])
    for hint in result["hints"]:
        out.print(f"{hint['kind']} {hint['key']}: a thin event; the hub would fetch the record", markup=False)
    for ignored in result.get("ignored", []):
        out.print(f"{ignored['kind']} {ignored['key']}: ignored, {ignored['why']}", markup=False)
    for problem in result["problems"]:
        where = problem.get("rule", problem["code"])
        found = f"found {problem['found']}" if problem.get("found") else problem["code"]
        expected = f", expected {problem['expected']}" if problem.get("expected") else ""
        err.print(f"✗ {problem['key']}  {where}: {found}{expected}", style="red", markup=False)
        if problem.get("hint"):
            err.print(f"  try: {problem['hint']}", markup=False)
    out.print(f"[dim]{len(result['documents'])} document(s), {len(result['problems'])} problem(s); --json shows all[/]")
