"""`hub token`: bearer tokens of the API, and the key that seals platform tokens."""

import hashlib
import secrets
from pathlib import Path

import typer

from hub import clock
from hub.cli.output import ConfigOption, JsonOption, actor, emit, fail, out, reading, stamped, table, writing

app = typer.Typer(help="API tokens: create, list, revoke. Only their hash is kept.", no_args_is_help=True)


@app.command()
def create(
    name: str = typer.Argument(..., help="Whose it is; appears in the audit log."),
    role: str = typer.Option(..., "--role", help="viewer, support, operator or admin."),
    config: Path = ConfigOption,
) -> None:
    """Make a token and print it once; it cannot be shown again."""
    from hub import desk
    from hub.store import audit, state

    if role not in desk.ROLES:
        fail(f"{role!r} is not a role", hint=f"one of {', '.join(desk.ROLES)}", code=2)
    token = f"hub_{secrets.token_urlsafe(32)}"
    with writing(config) as connection:
        if any(t["name"] == name for t in state.all_tokens(connection)):
            fail(f"there is a token named {name!r} already", hint="choose another name")
        now = clock.now().timestamp()
        state.add_token(connection, name, role, hashlib.sha256(token.encode()).hexdigest(), now)
        audit.write(connection, now, actor(), "token.created", name, role)
    out.print(token, markup=False)


@app.command("list")
def list_(config: Path = ConfigOption, as_json: bool = JsonOption) -> None:
    """Every token, without its secret."""
    from hub.store import state

    with reading(config) as connection:
        rows = [stamped(r) for r in state.all_tokens(connection)]
    if as_json:
        emit({"tokens": rows})
        return
    table(
        ("name", "role", "created", "revoked"), [(r["name"], r["role"], r["created_at"], r["revoked_at"]) for r in rows]
    )


@app.command()
def revoke(name: str, config: Path = ConfigOption) -> None:
    """End a token at once."""
    from hub.store import audit, state

    with writing(config) as connection:
        now = clock.now().timestamp()
        if not state.revoke_token(connection, name, now):
            fail(f"no living token named {name!r}", hint="hub token list")
        audit.write(connection, now, actor(), "token.revoked", name)
    out.print(f"{name} is revoked")


@app.command()
def key() -> None:
    """Print a fresh key for hub.key, which seals refreshed platform tokens in the store."""
    from cryptography.fernet import Fernet

    out.print(Fernet.generate_key().decode())
