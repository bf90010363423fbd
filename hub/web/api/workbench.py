"""Changing mappings: look at versions, try them, put them in force. The same functions as `hub mapping ...`."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import APIRouter, Depends, Path

from canonical.errors import ConfigError
from hub import clock
from hub.desk import NotFound, NotNow
from hub.mapping.cases import run_cases
from hub.mapping.catalog import Catalog
from hub.mapping.coverage import coverage_of
from hub.mapping.difference import Report
from hub.mapping.explain import explain
from hub.mapping.resolved import rows_of
from hub.mapping.trace import Tracer
from hub.store import audit
from hub.web import workbench as shapes
from hub.web.auth import Operator, Support, Viewer
from hub.web.parts import CurrentHub
from hub.web.problems import described
from hub.wiring import Hub
from hub.workbench import history, versions
from hub.workbench.versions import Version

P = ParamSpec("P")
R = TypeVar("R")
PART = r"^[A-Za-z0-9_.-]{1,64}$"
Which = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.@/-]{1,160}$", description=shapes.WANTED)]


def _name(
    way: Annotated[
        str, Path(pattern="^(channels|destinations)$", description="which way it goes", examples=["channels"])
    ],
    folder: Annotated[str, Path(pattern=PART, description="its folder", examples=["generic"])],
    file: Annotated[str, Path(pattern=PART, description="its file, without .toml", examples=["order"])],
) -> str:
    return f"{way}/{folder}/{file}"


Name = Annotated[str, Depends(_name)]
_CHANGES = described(400, 409)
_TRIES = described(400)
_COVERED = {"mapping": "channels/generic/order", "percent": 97.1, "records": 26}
_EXPLAINED = {"field": "order.lines[0].amount", "value": "20.00", "rule": {"file": "mappings/...", "line": 71}}
_COMPARED = {"old": "generic/order@3f2a9c1b", "new": "generic/order@9d04e7aa", "compared": 1000, "changed": 12}


def _answers(example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` with an example of a report."""
    return {200: {"content": {"application/json": {"example": example}}}}


router = APIRouter(prefix="/mappings/{way}/{folder}/{file}", tags=["mappings"], responses=described(404))


@router.get("", summary="Show a mapping as it holds")
async def show(name: Name, hub: CurrentHub, _: Viewer) -> shapes.Resolved:
    """The version in force: its texts, and each row with the file and line that it is from. Role: viewer."""
    return await _off(_resolved, hub, name, "active")


@router.get("/versions", summary="List a mapping's versions")
async def list_versions(name: Name, hub: CurrentHub, _: Viewer) -> shapes.Versions:
    """What is in force, what was, and whether the file on disk says something else. Role: viewer."""
    found = await hub.store.read(versions.listing, hub.catalog, name)
    if not found["in_force"] and not found["versions"]:
        raise NotFound(f"there is no mapping {name}", hint="GET /api/v1/mappings")
    return shapes.Versions.model_validate(found)


@router.get("/versions/{version}", summary="Show one version")
async def show_version(name: Name, version: Which, hub: CurrentHub, _: Viewer) -> shapes.Resolved:
    """Its texts and rows. Role: viewer."""
    return await _off(_resolved, hub, name, version)


@router.post("/versions", summary="Keep a new version", status_code=201, responses=_CHANGES)
async def keep_version(name: Name, draft: shapes.Draft, hub: CurrentHub, caller: Operator) -> shapes.Texts:
    """Texts become a version, which can then be tried and activated; the files on disk stay as they are. Who works on a
    version that is no longer in force is told (409), and nothing is merged in silence. Role: operator."""
    return await _off(_keep, hub, name, draft, caller.name)


@router.post("/check", summary="Check texts", responses=_TRIES)
async def check(name: Name, draft: shapes.Try, hub: CurrentHub, _: Support) -> shapes.Checked:
    """All that is wrong with them, each with file and line. Nothing is kept. Role: support."""
    return await _off(_check, hub, name, draft)


@router.post("/test", summary="Run a version's cases", responses=_TRIES)
async def test(name: Name, choice: shapes.Choice, hub: CurrentHub, _: Support) -> shapes.Tested:
    """The cases that lie beside the mapping. Role: support."""
    return await _off(_test, hub, name, choice.version)


@router.get("/coverage", summary="Show what the cases leave untested", responses=_answers(_COVERED))
async def coverage(name: Name, hub: CurrentHub, _: Viewer) -> dict[str, Any]:
    """Fields never set, branches never taken, words never met, paths that no rule reads. Role: viewer."""
    return await _off(_coverage, hub, name)


@router.post("/explain", summary="Say why a field has its value", responses={**_TRIES, **_answers(_EXPLAINED)})
async def why(name: Name, asked: shapes.Asked, hub: CurrentHub, _: Support) -> dict[str, Any]:
    """Rule, branches, path, raw value, conversion, table row. Nothing is kept. Role: support."""
    return await _off(_explain, hub, name, asked)


@router.post("/diff", summary="Compare two versions on history", responses={**_TRIES, **_answers(_COMPARED)})
async def diff(name: Name, wanted: shapes.Compare, hub: CurrentHub, caller: Support) -> dict[str, Any]:
    """Maps stored messages with both. The report is kept: activation asks whether somebody has seen it. Samples are
    masked. Role: support."""
    return await _off(_diff, hub, name, wanted, caller.name)


@router.post("/activate", summary="Put a version in force", responses=_CHANGES)
async def activate(name: Name, wanted: shapes.Activate, hub: CurrentHub, caller: Operator) -> shapes.InForce:
    """Running processes take it before their next batch. Refused (409) while cases fail, nobody has seen the diff, or
    somebody else was faster. Role: operator."""
    return await _off(_activate, hub, name, wanted, wanted.version, caller.name, wanted.based_on)


@router.post("/rollback", summary="Put the version before in force", responses=_CHANGES)
async def rollback(name: Name, going: shapes.Going, hub: CurrentHub, caller: Operator) -> shapes.InForce:
    """Back to what was in force before. Role: operator."""
    return await _off(_activate, hub, name, going, "previous", caller.name)


@router.post("/follow", summary="Follow the file again", responses=_CHANGES)
async def follow(name: Name, going: shapes.Going, hub: CurrentHub, caller: Operator) -> shapes.InForce:
    """What lies on disk is in force again, and whatever is saved there. Role: operator."""
    return await _off(_activate, hub, name, going, "file", caller.name)


async def _off(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Off the event loop: cases and history take their time."""
    return await asyncio.get_running_loop().run_in_executor(None, partial(work, *args, **kwargs))


def _known(hub: Hub, name: str) -> None:
    if name not in hub.catalog.names():
        raise NotFound(f"there is no mapping {name}", hint="GET /api/v1/mappings")


def _found(hub: Hub, name: str, wanted: str) -> tuple[Version, Catalog]:
    """A version, and a catalog in which it holds."""
    _known(hub, name)
    with hub.store.look() as connection:
        version = versions.find(connection, hub.catalog, name, wanted)
    return version, hub.catalog.with_(name, version.sources)


def _resolved(hub: Hub, name: str, wanted: str) -> shapes.Resolved:
    version, catalog = _found(hub, name, wanted)
    rows = [
        shapes.Row(key=key, value=value, file=at.file, line=at.line)
        for key, value, at in rows_of(catalog.mapping(name))
    ]
    return shapes.Resolved(name=name, version=version.version, sources=version.sources, rows=rows)


def _keep(hub: Hub, name: str, draft: shapes.Draft, actor: str) -> shapes.Texts:
    base, _ = _found(hub, name, draft.based_on)
    with hub.store.begin() as connection:
        current, _sequence = versions.in_force(connection, hub.catalog, name)
        if base.version != current:
            raise NotNow(
                f"{current} is in force, not {base.version}, from which these texts were made",
                hint="look at what changed (POST diff), lay your change on that, and send it again",
            )
        sources = {**base.sources, **draft.sources}
        kept = versions.propose(
            connection, hub.catalog, name, sources, actor, origin="api", based_on=base.version, why=draft.why
        )
        now = clock.now().timestamp()
        audit.write(connection, now, actor, "mapping.kept", name, f"{kept.version}; {draft.why}")
    return shapes.Texts(name=name, version=kept.version, sources=kept.sources)


def _check(hub: Hub, name: str, draft: shapes.Try) -> shapes.Checked:
    base, _ = _found(hub, name, "active")
    try:
        made = hub.catalog.with_(name, {**base.sources, **draft.sources})
    except ConfigError as error:
        return shapes.Checked(version="", problems=error.problems)
    return shapes.Checked(version=made.mapping(name).version, problems=[])


def _test(hub: Hub, name: str, wanted: str) -> shapes.Tested:
    version, catalog = _found(hub, name, wanted)
    results = run_cases(catalog, name)
    failed = [result.as_dict() for result in results if not result.passed]
    return shapes.Tested(version=version.version, passed=len(results) - len(failed), failed=failed)


def _coverage(hub: Hub, name: str) -> dict[str, Any]:
    _, catalog = _found(hub, name, "active")
    [found] = coverage_of(catalog, [name])
    return found.report()


def _explain(hub: Hub, name: str, asked: shapes.Asked) -> dict[str, Any]:
    _, catalog = _found(hub, name, asked.version)
    return explain(Tracer(catalog.mapping(name)).trace(asked.record), asked.field).as_dict()


def _diff(hub: Hub, name: str, wanted: shapes.Compare, actor: str) -> dict[str, Any]:
    (old, before), (new, after) = _found(hub, name, wanted.old), _found(hub, name, wanted.new)
    report = Report(name, old.version, new.version)
    if old.version != new.version:
        scope = history.scope_of(before, name, hub.shops, hub.config)
        inputs = history.stored(hub.store, scope, last=wanted.last)
        history.compare(before, after, name, inputs, shops=hub.shops, report=report)
        history.count_letters(hub.store, after, scope, report)
        with hub.store.begin() as connection:
            history.keep(connection, report, actor)
    return report.as_dict()


def _activate(hub: Hub, name: str, going: shapes.Going, wanted: str, actor: str, based_on: str = "") -> shapes.InForce:
    version, _ = _found(hub, name, wanted)
    follow = wanted == "file" and not isinstance(going, shapes.Activate)
    back = wanted == "previous"
    chosen = versions.candidate(hub.store, hub.catalog, hub.shops, hub.config, version, follow=follow, back=back)
    if based_on and not chosen.current.endswith(based_on.rpartition("@")[2]):
        raise NotNow(f"{chosen.current} is in force, not {based_on}", hint="look at it, then again")
    if chosen.settled:
        return shapes.InForce(in_force=version.version, was=chosen.current, changed=False)
    with hub.store.begin() as connection:
        done = versions.activate(connection, hub.catalog, chosen, actor, why=going.why, force=going.force)
    return shapes.InForce(in_force=version.version, was=chosen.current, changed=True, forced=done.forced)
