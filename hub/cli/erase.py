"""`hub erase`: take a person's data out of the hub."""

from pathlib import Path

import typer

from hub.cli.output import REFUSED, ConfigOption, JsonOption, actor, emit, err, fail, out, writing


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("erase")(erase)


def erase(
    phone: str = typer.Option("", "--phone", help="The person's phone; its last eleven digits count."),
    name: str = typer.Option("", "--name", help="The person's name, as it was written."),
    email: str = typer.Option("", "--email", help="The person's e-mail address."),
    yes: bool = typer.Option(False, "--yes", help="Do it; without it only say what would go."),
    force: bool = typer.Option(False, "--force", help="Also where deliveries are still on their way."),
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Erase a person's data everywhere: raw messages, documents, deliveries, attempts, dead letters.

    The books keep their skeleton: what came when, which version went where, which amounts. It cannot be undone, and
    is in the audit log. Several of --phone, --name and --email must all fit.
    """
    from hub import erasure

    wanted = {what: value for what, value in (("phone", phone), ("name", name), ("email", email)) if value}
    if not wanted:
        fail("say whom: --phone, --name or --email", code=2)
    with writing(config) as connection:
        orders = erasure.find(connection, wanted)
        if not yes:
            found = [{"tenant": tenant, "shop": shop, "order": order} for tenant, shop, order in orders]
            if as_json:
                emit({"erased": False, "orders": found})
            else:
                for row in found:
                    out.print(f"  order {row['order']} of shop {row['shop']}", markup=False)
                err.print(f"{len(found)} order(s) would be emptied; nothing was changed. Add --yes to do it.")
            raise typer.Exit(0 if found else REFUSED)
        done = erasure.erase(connection, wanted, orders, actor(), force=force)
    if as_json:
        emit({"erased": True, **done.as_dict()})
        return
    told = ", ".join(f"{count} {what}" for what, count in done.counts.items())
    out.print(f"erased what was personal in {done.orders} order(s): {told}")
