"""`hub mapping explain`: why a field has its value."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hub.cli.mapping.folder import MappingsOption, catalog_of, named
from hub.cli.mapping.given import Desk, front_of, mappings_for, of_file, of_order
from hub.cli.output import PROBLEMS, USAGE, WELL, ConfigOption, JsonOption, emit, err, errors, fail, out, table

if TYPE_CHECKING:
    from hub.mapping.trace import Trace
    from hub.workbench.samples import Sample


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("explain")(explain_)


def explain_(
    name: str = typer.Argument(..., help="The mapping, such as taobao/order or destinations/kingdee/order."),
    file: str = typer.Argument("", help="What `hub map` reads, a case, or a destination's document; - is stdin."),
    field: str = typer.Option("", "--field", "-f", help="The field, such as lines[0].amount; without it: all."),
    key: str = typer.Option("", "--key", help="Which record of the file, by its number; default: the first."),
    order: str = typer.Option("", "--order", help="A stored order instead of a file: its newest message."),
    shop: str = typer.Option("", "--shop", help="Use this shop of hub.toml: its settings and its mapping."),
    personal: bool = typer.Option(False, "--personal", help="With --order: show personal data in the clear."),
    config: Path = ConfigOption,
    mappings: Path | None = MappingsOption,
    as_json: bool = JsonOption,
) -> None:
    """Why a field has its value: the rule and its line, the branch, the path and what it found, the conversion, the
    row of the table, the default; for null, what it lacks.

    Values of your own file are shown as they are; of a stored order personal data is masked, unless --personal.
    Exit 1 where the field has a problem, or there is no document.

    Example: hub mapping explain taobao/order order.json --field lines[0].amount
    """
    from hub.mapping.explain import explain, overview

    if bool(file) == bool(order):
        fail("give a FILE or --order NUMBER", hint=f"hub mapping explain {name} order.json", code=USAGE)
    with errors():
        trace, told = _trace(name, file, key, order, shop, config, mappings)
        masked = bool(order) and not personal
        if field:
            found = explain(trace, field, masked=masked)
            data = {**_about(trace), **found.as_dict()}
        else:
            data = {**_about(trace), "fields": overview(trace, masked=masked)}
    if as_json:
        emit({**data, "note": told} if told else data)
    else:
        if told:
            err.print(f"[dim]{told}[/]")
        _show(data)
    bad = data.get("problems") if field else trace.problems or trace.document is None
    raise typer.Exit(PROBLEMS if bad else WELL)


def _trace(
    name: str, file: str, key: str, order: str, shop: str, config: Path, mappings: Path | None
) -> "tuple[Trace, str]":
    """The way of the one record that is meant, and what there is to say about the choice."""
    from hub.mapping.trace import traced

    if order:
        from hub import wiring

        full = named(wiring.build(config).catalog, name)
        desk, found = of_order(config, full, order, shop)
        given = [(sample, "") for sample in found]
    else:
        desk = _desk(shop, config, mappings)
        full = named(desk.catalog, name)
        given = list(of_file(desk, full, file, shop))
    traces = []
    for sample, overlay in given:
        trace = traced(mappings_for(desk, full, sample, overlay), sample.record, sample.own)
        if key in ("", trace.key, sample.key):
            traces.append((trace, sample))
    if not traces:
        keys = ", ".join(dict.fromkeys(sample.key for sample, _ in given if sample.key)) or "records without a number"
        fail(f"no record with the number {key!r} in {file or order}", hint=f"there are: {keys[:300]}", code=USAGE)
    return traces[0][0], _said(full, *traces[0], len(traces), order)


def _desk(shop: str, config: Path, mappings: Path | None) -> Desk:
    if not shop:
        return Desk(catalog_of(config, mappings), {})
    from hub import wiring

    hub = wiring.build(config)
    front_of(hub, shop, config)
    catalog = hub.catalog if mappings is None else catalog_of(config, mappings)
    return Desk(catalog, hub.shops)


def _said(full: str, trace: "Trace", sample: "Sample", count: int, order: str) -> str:
    told = []
    if count > 1:
        others = "stored messages, the newest" if order else "records, the first"
        told.append(f"{count} {others} is explained" + ("" if order else "; --key NUMBER chooses another"))
    if trace.mapping is not None and trace.mapping.full_name != full:
        told.append(f"the record is taken by {trace.mapping.full_name}, not by {full}")
    if sample.message is not None:
        told.append(f"message {sample.message} of shop {sample.shop}")
    return "; ".join(told)


def _about(trace: "Trace") -> dict[str, Any]:
    mapping = trace.mapping
    version = mapping.version if mapping else None
    return {"mapping": mapping.full_name if mapping else None, "version": version, "key": trace.key}


def _show(data: dict[str, Any]) -> None:
    if "fields" in data:
        out.print(f"{data['mapping']} {data['key']}", markup=False)
        rows = data["fields"]
        table(
            ("field", "value", "rule", "path", "raw"),
            [(r["field"], _text(r["value"]), f"{r['file']}:{r['line']}", r["path"], _text(r["raw"])) for r in rows],
            empty="no row ran: the record is ignored, or no mapping takes it; --field order_no tells why",
        )
        return
    out.print(f"{data['field']} = {_text(data['value'])}", markup=False, style="bold")
    for name, text in _lines(data):
        out.print(f"  {name:<11} {text}", markup=False)
    if "inside" in data:
        rows = data["inside"]
        table(
            ("field", "value", "rule", "path", "raw"),
            [(r["field"], _text(r["value"]), f"{r['file']}:{r['line']}", r["path"], _text(r["raw"])) for r in rows],
        )


def _lines(data: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    if data["why"]:
        lines.append(("because", data["why"]))
    if "rule" in data:
        lines.append(("rule", f"{data['rule']['file']}:{data['rule']['line']}  {data['rule']['key']}"))
    lines += [("condition", _condition(branch)) for branch in data.get("branches", ())]
    if data.get("constant"):
        lines.append(("constant", _text(data["value"])))
    for read in data.get("read", ()):
        lines += _read(read)
    if "items" in data:
        lines += _items(data["items"])
    if "conversion" in data:
        to = data["conversion"]
        settings = ", ".join(f"{k} {v}" for k, v in to.items() if k not in ("as", "to"))
        lines.append(("conversion", f"{to['as']}{f' ({settings})' if settings else ''}: gives {_text(to['to'])}"))
    if "default" in data:
        lines.append(("default", _text(data["default"])))
    for problem in data.get("problems", ()):
        lines.append(("problem", f"{problem['code']}: found {problem['found']}, expected {problem['expected']}"))
        lines.append(("try", problem["hint"]))
    return lines


def _read(read: dict[str, Any]) -> list[tuple[str, str]]:
    where = f" (from {read['from']})" if "from" in read else ""
    item = f" (item {read['item']})" if "item" in read else ""
    ending = " cannot be evaluated: " + read["error"] if "error" in read else f" = {_text(read['raw'])}"
    lines = [("read", f"{read['path']}{where}{item}{ending}" + (", listed under absent" if "absent" in read else ""))]
    lines += [(o["as"], f"{o['path']} = {_text(o['raw'])}") for o in read.get("operands", ())]
    if "table" in read:
        word = read["table"]
        line = f"{word['file']}:{word['line']}" if word["line"] else f"not in {word['file']}"
        lines.append(("table", f"{word['name']}: {word['word']} -> {_text(word['value'])}  {line}"))
    return lines


def _items(items: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [("items", str(items["items"]) + (f" of {items['each']}" if "each" in items else ""))]
    for part in items.get("parts", ()):
        about = f"each {part['each']}" if "each" in part else "one"
        lines.append(("part", f"{part['rule']['file']}:{part['rule']['line']}  {about}: {part['items']} item(s)"))
        if "if" in part:
            lines.append(("", _condition(part["if"])))
        lines += [("dropped", f"item {d['item']}: {_condition(d)}") for d in part.get("dropped", ())]
    lines += [("dropped", f"item {d['item']}: {_condition(d)}") for d in items.get("dropped", ())]
    return lines


def _condition(told: dict[str, Any]) -> str:
    read = ", ".join(f"{path} is {value}" for path, value in told.get("read", {}).items())
    holds = f"cannot be told: {told['error']}" if "error" in told else "true" if told["holds"] else "false"
    return f"{told['if']}: {holds}" + (f" ({read})" if read and told["if"] != "else" else "")


def _text(value: Any) -> str:
    from hub.mapping.telling import described

    return described(value) if not isinstance(value, str) else value if len(value) <= 80 else value[:77] + "..."
