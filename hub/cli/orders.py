"""`hub orders`: canonical documents."""

from pathlib import Path

import typer

from hub import clock
from hub.cli.output import (
    BeforeOption,
    ConfigOption,
    JsonOption,
    LimitOption,
    ago,
    emit,
    fail,
    out,
    reading,
    stamped,
    table,
)

app = typer.Typer(help="Orders, refunds and other documents as the hub knows them.", no_args_is_help=True)


@app.command("list")
def list_(
    kind: str = typer.Option("order", "--kind", help="order, refund, shipment, stock or invoice."),
    shop: str = typer.Option("", "--shop", help="Only this shop."),
    state: str = typer.Option("", "--state", help="Only this state: open, completed, cancelled, requested ..."),
    review: bool = typer.Option(False, "--review", help="Only those that went on with an assumed answer."),
    phone: str = typer.Option("", "--phone", help="Only of the person with this phone."),
    name: str = typer.Option("", "--name", help="Only of the person with this name, as it was written."),
    before: int | None = BeforeOption,
    limit: int = LimitOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Documents, newest first."""
    from hub.store import people, views

    with reading(config) as connection:
        who = {what: value for what, value in (("phone", phone), ("name", name)) if value}
        ids = people.find(connection, views.tenants(connection), who) if who else None
        rows = views.orders(
            connection, kind=kind, shop=shop, state=state, review=True if review else None, ids=ids, before=before,
            limit=limit,
        )  # fmt: skip
    if as_json:
        emit({"orders": [stamped(r) for r in rows], "before": rows[-1]["id"] if len(rows) == limit else None})
        return
    now = clock.now().timestamp()
    columns = ("id", "shop", "number", "state", "version", "mapping", "changed", "goes to")
    table(
        columns,
        [
            (r["id"], r["shop"], r["number"], r["state"], r["version"], r["mapping_version"],
             ago(r["updated_at"], now), r["routed"])
            for r in rows
        ],
        empty="no documents yet",
    )  # fmt: skip
    if len(rows) == limit:
        out.print(f"[dim]more: --before {rows[-1]['id']}[/]")


@app.command()
def show(
    number: str = typer.Argument(..., help="The platform's number, or the one that people see."),
    kind: str = typer.Option("order", "--kind", help="order, refund, shipment, stock or invoice."),
    personal: bool = typer.Option(False, "--personal", help="Show personal data in the clear."),
    config: Path = ConfigOption,
) -> None:
    """One document as JSON, personal data masked."""
    from hub import desk
    from hub.store import views

    role = "support" if personal else "viewer"
    with reading(config) as connection:
        rows = views.document(connection, number, kind=kind)
    if not rows:
        fail(f"no {kind} {number}", hint=f"hub trace {number} shows whether it arrived")
    emit([desk.masked(role, r["body"], kind) for r in rows])
