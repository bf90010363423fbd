"""`hub pull`: ask a platform for a span of time, now."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

from hub import clock
from hub.cli.output import PROBLEMS, ConfigOption, JsonOption, emit, err, errors, fail, opened, out

if TYPE_CHECKING:
    from hub import wiring
    from hub.config import Pull


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("pull")(pull)


def pull(
    shop: str = typer.Argument(..., help="Name of the shop in hub.toml."),
    start: str = typer.Option("", "--from", help="Modified since: 2026-01-31 or 2026-01-31T08:00 (hub.timezone)."),
    end: str = typer.Option("", "--to", help="Modified before; empty: now."),
    kind: str = typer.Option("", "--kind", help="Only order or refund."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Pull what changed in a span (default: since the last pull). It is stored; hub run or hub work translates it."""
    import asyncio

    from hub import pulling, wiring
    from hub.config import Pull
    from hub.logs import configure

    with errors():
        configure(json=not sys.stderr.isatty(), level="warning")
        hub = opened(config)
        wiring.start(hub)
        if shop not in hub.shops:
            fail(f"no shop {shop!r} in {config}", hint=f"there are: {', '.join(hub.shops)}", code=2)
        settings = hub.config.shops[shop].pull or Pull()
        kinds = [k for k in pulling.kinds(hub.shops[shop], settings) if not kind or k == kind]
        if not kinds:
            fail(f"the channel of {shop} cannot pull {kind or 'anything'}", code=2)
        zone = ZoneInfo(hub.config.hub.timezone)
        now = clock.now().timestamp()
        since = _instant(start, zone) if start else None
        latest = now - pulling.SETTLE  # beyond it nothing was seen yet: the pulls that follow must not begin there
        until = min(_instant(end, zone), latest) if end else latest
        if since is not None and since >= until:
            fail("the span is empty: --from is not before --to and before now", code=2)
        try:
            with hub.store.begin() as connection:
                for name in kinds:
                    reached = _reached(connection, shop, name) or now - settings.first
                    begin = since if since is not None else reached - settings.overlap
                    pulling.span(connection, shop, name, begin, until)
            results = asyncio.run(_all(hub, shop, kinds, settings, until))
        finally:
            hub.store.close()
    if as_json:
        emit({"shop": shop, "pulled": results})
    for name, found in results.items():
        if not as_json:
            out.print(f"{shop} {name}: {found['records']} record(s), {found['new']} new, {found['pages']} page(s)")
        if found["error"]:
            err.print(f"✗ {shop} {name}: {found['error']}", style="red", markup=False)
    if any(found["error"] for found in results.values()):
        raise typer.Exit(PROBLEMS)


async def _all(
    hub: "wiring.Hub", shop: str, kinds: list[str], settings: "Pull", until: float
) -> dict[str, dict[str, object]]:
    import asyncio

    from hub import pulling, wiring

    flow, http = wiring.connect(hub)
    found: dict[str, dict[str, object]] = {}
    try:
        for kind in kinds:
            records = new = pages = 0
            error, patience = "", True
            while True:
                page = await pulling.pull_page(hub.store, http, hub.shops[shop], kind, settings, hub.config.hub.key)
                if page is None and patience and settings.limit:  # the next page has its turn a little later
                    patience = False
                    await asyncio.sleep(1 / settings.limit)
                    continue
                if page is None:
                    break
                patience = page.more
                records, new, pages, error = records + page.records, new + page.new, pages + 1, page.error
                reached = await hub.store.read(_reached, shop, kind)
                if error or (not page.more and reached >= until):
                    break
            found[kind] = {"records": records, "new": new, "pages": pages, "error": error}
    finally:
        await flow.close()
        await http.aclose()
    return found


def _reached(connection: object, shop: str, kind: str) -> float:
    from hub.store import state

    return float(state.pull_state(connection, shop, kind)["reached"] or 0.0)  # type: ignore[arg-type]


def _instant(text: str, zone: ZoneInfo) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a time", hint="write 2026-01-31 or 2026-01-31T08:00", code=2)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
