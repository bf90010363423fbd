"""Who may use the API."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from hub import clock
from hub.desk import NotFound, NotNow
from hub.store import Connection, audit, state
from hub.web import models, upkeep
from hub.web.auth import Admin, Gate, digest_of, fresh_token
from hub.web.parts import Body, Name, TheHub
from hub.web.problems import described

router = APIRouter(tags=["tokens"])


class Wanted(Body):
    """A token to be made."""

    name: Name = Field(description="whose it is; appears in the audit log", examples=["console-li"])
    role: models.Role = Field(description="viewer reads masked, support mends, operator runs, admin makes tokens")


@router.get("/tokens", summary="List tokens")
async def list_tokens(hub: TheHub, _: Admin) -> upkeep.Tokens:
    """Every token, the revoked ones too, without its secret. Role: admin."""
    return upkeep.Tokens.model_validate({"items": await hub.store.read(state.all_tokens)})


@router.post("/tokens", summary="Make a token", status_code=201, responses=described(400, 409))
async def make_token(wanted: Wanted, hub: TheHub, caller: Admin) -> upkeep.NewToken:
    """Make a token. It is shown in this answer and never again: the hub keeps only its hash. Role: admin."""
    token = fresh_token()
    await hub.store.run(_add, wanted.name, wanted.role, digest_of(token), caller.name)
    return upkeep.NewToken(name=wanted.name, role=wanted.role, token=token)


@router.delete("/tokens/{name}", summary="Revoke a token", status_code=204, responses=described(404))
async def revoke_token(
    name: Annotated[
        str, Path(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$", description="the token's name")
    ],
    request: Request,
    hub: TheHub,
    caller: Admin,
) -> Response:
    """End a token. Other processes of the hub may take it for three seconds more. Role: admin."""
    await hub.store.run(_revoke, name, caller.name)
    gate: Gate = request.app.state.gate
    gate.forget()
    return Response(status_code=204)


def _add(connection: Connection, name: str, role: str, digest: str, actor: str) -> None:
    if any(t["name"] == name for t in state.all_tokens(connection)):
        raise NotNow(f"there is a token named {name!r} already", hint="Choose another name.")
    now = clock.now().timestamp()
    state.add_token(connection, name, role, digest, now)
    audit.write(connection, now, actor, "token.created", name, role)


def _revoke(connection: Connection, name: str, actor: str) -> None:
    now = clock.now().timestamp()
    if not state.revoke_token(connection, name, now):
        raise NotFound(f"there is no living token named {name!r}", hint="GET /api/v1/tokens")
    audit.write(connection, now, actor, "token.revoked", name)
