"""`hub deliveries`: what was sent, is waiting or stuck."""

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

app = typer.Typer(help="Deliveries to destinations.", no_args_is_help=True)


@app.command("list")
def list_(
    destination: str = typer.Option("", "--destination", "-d", help="Only this destination."),
    shop: str = typer.Option("", "--shop", help="Only this shop."),
    state: str = typer.Option("", "--state", help="waiting, held, sending, in_doubt, delivered, dead, superseded."),
    order: str = typer.Option("", "--order", help="Only this order."),
    before: int | None = BeforeOption,
    limit: int = LimitOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Deliveries, newest first."""
    from hub.store import views

    with reading(config) as connection:
        rows = views.deliveries_list(
            connection, destination=destination, shop=shop, state=state, subject=order, before=before, limit=limit
        )
    if as_json:
        emit({"deliveries": [stamped(r) for r in rows], "before": rows[-1]["id"] if len(rows) == limit else None})
        return
    now = clock.now().timestamp()
    table(
        ("id", "destination", "kind", "order", "state", "tries", "accepted", "last error"),
        [
            (r["id"], r["destination"], r["kind"], r["subject"], r["state"], r["attempts"],
             ago(r["accepted_at"], now), r["error"][:80])
            for r in rows
        ],
        empty="no deliveries",
    )  # fmt: skip
    if len(rows) == limit:
        out.print(f"[dim]more: --before {rows[-1]['id']}[/]")


@app.command()
def show(
    delivery: int = typer.Argument(..., help="The delivery's id."),
    personal: bool = typer.Option(False, "--personal", help="Show personal data in the clear."),
    config: Path = ConfigOption,
) -> None:
    """One delivery as JSON: its attempts and the document as it was sent."""
    from hub import desk
    from hub.store import views

    with reading(config) as connection:
        row = views.delivery(connection, delivery)
    if row is None:
        fail(f"there is no delivery {delivery}", hint="hub deliveries list")
    row["document"] = desk.masked("support" if personal else "viewer", row["document"], row["kind"])
    row["attempted"] = [stamped(a) for a in row["attempted"]]
    emit(stamped(row))
