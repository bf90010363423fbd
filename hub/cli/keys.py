"""`hub key`: the keys that encrypt personal data at rest."""

from pathlib import Path

import typer

from hub import clock
from hub.cli.output import ConfigOption, JsonOption, actor, emit, err, errors, fail, iso, opened_store, out, table

app = typer.Typer(help="Keys of tenants: list, rotate, reseal. hub token key makes a hub.key.", no_args_is_help=True)


@app.command("list")
def list_(config: Path = ConfigOption, as_json: bool = JsonOption) -> None:
    """Every tenant's keys, without their secrets."""
    from hub.store import keys
    from hub.store.vault import PEOPLE

    with errors():
        store = opened_store(config)
        with store.look() as connection:
            rows = [row for row in keys.all_of(connection) if row["tenant"] != PEOPLE]
        store.close()
    shown = [
        {"id": r["id"], "tenant": r["tenant"] or "(all others)", "created_at": iso(r["created_at"]),
         "retired_at": iso(r["retired_at"]) if r["retired_at"] else None} for r in rows
    ]  # fmt: skip
    if as_json:
        emit({"keys": shown})
        return
    names = ("id", "tenant", "created_at", "retired_at")
    table(names, [tuple(r[name] for name in names) for r in shown], empty="nothing is encrypted: set hub.key")


@app.command()
def rotate(
    tenant: str | None = typer.Option(None, "--tenant", help="Only this tenant; else all."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Make new keys, and encrypt everything again with them: also what was written before there was a hub.key."""
    from hub.store import audit, keys

    with errors():
        store = opened_store(config)
        try:
            if not store.vault.seals:
                fail("nothing is encrypted", hint="make a key with hub token key, and set hub.key", code=2)
            now = clock.now().timestamp()
            with store.begin() as connection:
                tenants = [tenant] if tenant is not None else keys.tenants_of(connection)
                for name in tenants:
                    keys.renew(connection, store.vault, name, now)
                audit.write(
                    connection, now, actor(), "key.rotated", ", ".join(name or "(all others)" for name in tenants)
                )
            rows = 0
            with store.look() as connection:
                parts = list(keys.parts(connection))
            for number, (rewritten, columns, first, last) in enumerate(parts, 1):
                with store.begin() as connection:
                    rows += keys.rewrite(connection, rewritten, columns, first, last)
                if not as_json and number % 50 == 0:
                    err.print(f"{number} of {len(parts)} parts")
        finally:
            store.close()
    if as_json:
        emit({"tenants": tenants, "rows": rows})
    else:
        out.print(f"new keys for {len(tenants)} tenant(s); {rows} rows encrypted again")


@app.command()
def reseal(config: Path = ConfigOption) -> None:
    """Seal the tenants' keys with the first of two in hub.key ("new,old"); then the old one may be taken out."""
    from hub.store import audit, keys

    with errors():
        store = opened_store(config)
        try:
            with store.begin() as connection:
                count = keys.reseal(connection, store.vault)
                audit.write(connection, clock.now().timestamp(), actor(), "key.resealed", f"{count} keys")
        finally:
            store.close()
    out.print(f"{count} keys are sealed with the first key in hub.key")
