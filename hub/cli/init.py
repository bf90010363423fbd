"""`hub init` and `hub check`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub.cli.output import PROBLEMS, REFUSED, WELL, ConfigOption, JsonOption, emit, err, fail, out
from hub.cli.template import TEMPLATE

if TYPE_CHECKING:
    from hub import wiring


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(init)
    app.command("check")(check)


def init(
    path: Path = typer.Argument(Path("hub.toml"), help="Where to write."),
    force: bool = typer.Option(False, "--force", help="Overwrite a file that is there."),
) -> None:
    """Write a commented hub.toml with one shop and one destination per kind."""
    if path.exists() and not force:
        fail(f"{path} is there already", hint=f"hub init {path} --force, or hub check -c {path}", code=REFUSED)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE, encoding="utf-8")
    out.print(f"wrote {path}: one shop and one destination of each kind; delete what you do not have")
    out.print(f"next: set the secrets that it names (env:...), then [bold]hub check -c {path}[/]")


def check(
    config: Path = ConfigOption,
    online: bool = typer.Option(False, "--online", help="Also try to reach the store and every destination."),
    as_json: bool = JsonOption,
) -> None:
    """List everything that is wrong with the configuration, at once. Exit 0: nothing; 1: something."""
    from canonical.errors import ConfigError
    from hub import wiring

    problems: list[str] = []
    hub = None
    try:
        hub = wiring.build(config)
        if online:
            problems += _online(hub)
    except ConfigError as error:
        problems += error.problems
    notes = _notes(hub) if hub is not None else []
    if as_json:
        emit({"ok": not problems, "problems": problems, "notes": notes})
    else:
        for problem in problems:
            err.print(f"✗ {problem}", style="red", markup=False)
        for note in notes:
            out.print(f"- {note}", markup=False)
        if hub is not None and not problems:
            out.print(
                f"✓ {config}: {len(hub.shops)} shop(s), {len(hub.targets)} destination(s),"
                f" {len(hub.config.routes)} route(s), {len(hub.catalog.names())} mappings"
            )
        elif problems:
            err.print(f"{len(problems)} problem(s). The hub does not start until they are gone.")
    raise typer.Exit(PROBLEMS if problems else WELL)


def _notes(hub: "wiring.Hub") -> list[str]:
    """What is not wrong but worth a look."""
    import adapters

    notes = []
    routed = {name for route in hub.config.routes for name in route.to}
    notes += [f"destinations.{n}: no route leads there" for n in hub.targets if n not in routed]
    kinds = {kind for shop in hub.shops.values() for kind in adapters.load("channels", shop.code).kinds}
    routed_kinds = {route.on for route in hub.config.routes}
    notes += [
        f"routes: nothing for documents of kind {kind}; they would become dead letters (routing.none)"
        for kind in sorted(kinds & {"order", "refund"})
        if kind not in routed_kinds
    ]
    return notes


def _online(hub: "wiring.Hub") -> list[str]:
    import httpx

    from canonical.errors import ConfigError

    problems = []
    try:
        hub.store.prepare()
    except ConfigError as error:
        problems += error.problems
    with httpx.Client(timeout=5.0) as client:
        for name, target in hub.targets.items():
            url = str(target.section.adapter_settings.get("url", ""))
            if not url.startswith("http"):
                continue
            base = httpx.URL(url.partition("{")[0])
            try:
                client.request("OPTIONS", base)
            except httpx.HTTPError as error:
                problems.append(f"destinations.{name}.url: {base.host}:{base.port or 443} cannot be reached ({error})")
    return problems
