"""`hub mapping drift`: what the platforms send that the mappings don't know."""

import difflib
from collections.abc import Collection
from pathlib import Path

import typer

from hub import clock
from hub.cli.output import (
    PROBLEMS,
    USAGE,
    WELL,
    ConfigOption,
    JsonOption,
    actor,
    ago,
    emit,
    fail,
    out,
    reading_hub,
    stamped,
    table,
    writing,
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("drift")(show)


def show(
    shop: str = typer.Option("", "--shop", help="Only of this shop."),
    channel: str = typer.Option("", "--channel", help="Only of this channel."),
    every: bool = typer.Option(False, "--all", help="Closed findings too."),
    close: list[str] = typer.Option([], "--close", metavar="ID", help="Close these: 3, or 3,4,7. May be repeated."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """What the platforms send that the mappings don't know: new fields, new words, fields that vanished, changed types.

    Learned from the stored messages while the hub runs; kept by shop and kind. A finding closes by itself once a
    mapping knows the field or the word. One that you close opens again when it comes back after it had stayed away.
    Exit 1 while there are open findings.

    Example: hub mapping drift --shop tb-main
    """
    from hub.store import drift as kept
    from hub.workbench import drift
    from hub.workbench.drift import Drift

    if close:
        _close(config, _numbers(close), as_json)
        return
    with reading_hub(config) as (hub, connection):
        _known("shop", shop, hub.shops)
        _known("channel", channel, {front.code for front in hub.shops.values()})
        look = Drift(hub.store, hub.catalog, hub.shops, hub.config.hub.lease)
        found = drift.listing(connection, look, shop=shop, channel=channel, closed=every)
        profiles = [p for p in kept.profiles(connection) if shop in ("", p["shop"]) and channel in ("", p["channel"])]
    still_open = [row for row in found if row["closed_at"] is None]
    if as_json:
        emit({"findings": [stamped(row) for row in found], "profiles": [stamped(row) for row in profiles]})
        raise typer.Exit(PROBLEMS if still_open else WELL)
    now = clock.now().timestamp()
    table(
        ("id", "shop", "kind", "what", "where", "seen", "since", "last", "sample", "read by"),
        (
            (
                row["id"],
                row["shop"],
                row["kind"],
                row["what"].replace("_", " ") + (" (closed)" if row["closed_at"] else ""),
                f"{row['path']} {row['detail']}".strip(),
                row["count"],
                ago(row["first_at"], now),
                ago(row["last_at"], now),
                f"{row['sample']} (message {row['message_id']})".strip(),
                ", ".join(row["rules"][:3]) or "no rule",
            )
            for row in found
        ),
        empty="nothing that the mappings don't know",
    )
    looked = (
        ", ".join(f"{p['shop']}/{p['kind']} {p['records']}" for p in profiles) or "none yet (hub run looks at them)"
    )
    out.print(f"[dim]records looked at: {looked}[/]")
    raise typer.Exit(PROBLEMS if still_open else WELL)


def _close(config: Path, ids: list[int], as_json: bool) -> None:
    from hub.workbench import drift

    with writing(config) as connection:
        closed = drift.close(connection, ids, actor())
    if as_json:
        emit({"closed": closed})
    else:
        out.print(f"{closed} closed" + (f", {len(ids) - closed} were closed already" if closed < len(ids) else ""))


def _known(what: str, name: str, there_are: Collection[str]) -> None:
    if name and name not in there_are:
        near = difflib.get_close_matches(name, there_are, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(there_are)) or 'none'}"
        fail(f"no {what} {name!r} in hub.toml", hint=hint, code=USAGE)


def _numbers(texts: list[str]) -> list[int]:
    words = [word for text in texts for word in text.replace(",", " ").split()]
    wrong = [word for word in words if not word.isdecimal()]
    if wrong or not words:
        fail(
            f"--close takes numbers of findings, not {', '.join(wrong) or 'nothing'}",
            hint="hub mapping drift",
            code=USAGE,
        )
    return list(dict.fromkeys(map(int, words)))
