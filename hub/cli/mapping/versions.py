"""`hub mapping versions | activate | rollback | follow`: which version is in force."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hub import clock
from hub.cli.mapping import show
from hub.cli.mapping.folder import named, version_of
from hub.cli.output import (
    ConfigOption,
    JsonOption,
    actor,
    ago,
    emit,
    errors,
    opened,
    out,
    reading_hub,
    stamped,
    table,
)

if TYPE_CHECKING:
    from hub.workbench.versions import Activation, Version

WhyOption = typer.Option("", "--why", help="The reason, for those who look at it later; --force demands one.")
ForceOption = typer.Option(False, "--force", help="Though cases fail or its diff was not seen; needs --why.")
NameArgument = typer.Argument(help="The mapping, such as taobao/order.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("versions")(listing)
    app.command("activate")(activate)
    app.command("rollback")(rollback)
    app.command("follow")(follow)
    show.register(app)


def listing(name: str = NameArgument, config: Path = ConfigOption, as_json: bool = JsonOption) -> None:
    """What is in force, what was, and whether the file on disk says something else.

    Example: hub mapping versions taobao/order
    """
    from hub.workbench import versions

    with reading_hub(config) as (hub, connection):
        found = versions.listing(connection, hub.catalog, named(hub.catalog, name))
    if as_json:
        stamps = {key: [stamped(row) for row in found[key]] for key in ("versions", "activations")}
        emit({**found, **stamps})
        return
    how = "the file, which is followed" if found["follows_file"] else "activated; the file is not followed"
    out.print(f"in force: {found['in_force']} ({how})", markup=False)
    if found["differs"]:
        out.print(f"the file on disk differs: {found['file']}; hub mapping diff {name}", markup=False)
    for problem in found["problems"]:
        out.print(f"the file on disk does not load: {problem}", markup=False)
    now = clock.now().timestamp()
    rows = []
    for row in found["versions"]:
        about = (row["created_by"], row["origin"], row["why"])
        rows.append((row["version"].rpartition("@")[2], row["state"], ago(row["activated_at"], now), *about))
    table(("version", "state", "activated", "by", "from", "why"), rows, empty="no version was activated yet")


def activate(
    name: str = NameArgument,
    version: str = typer.Argument("file", help="A hash's beginning, file (as it lies on disk), or a draft.toml."),
    why: str = WhyOption,
    force: bool = ForceOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Put a version in force, and keep it: what becomes of the file afterwards changes nothing.

    The cases must pass, and somebody must have looked at what it changes (hub mapping diff, or a shadow that ran).
    Running processes take it within two seconds, without a restart. Of two people at once one wins; the other is told.
    Exit 1 if it is refused, 3 if the version does not load.

    Example: hub mapping activate taobao/order file --why "new refund word"
    """
    _put(config, name, version, why, force=force, as_json=as_json)


def rollback(
    name: str = NameArgument,
    why: str = WhyOption,
    force: bool = ForceOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Put the version in force that was in force before.

    It was in force once, so neither its cases nor a diff are asked for. Exit 1 if there is none.

    Example: hub mapping rollback taobao/order --why "holds were lost"
    """
    _put(config, name, "previous", why, force=force, as_json=as_json)


def follow(
    name: str = NameArgument,
    why: str = WhyOption,
    force: bool = ForceOption,
    config: Path = ConfigOption,
    as_json: bool = JsonOption,
) -> None:
    """Follow the file on disk again: what is saved there is in force, as before the first activation.

    Example: hub mapping follow taobao/order
    """
    _put(config, name, "file", why, force=force, as_json=as_json, following=True)


def _put(
    config: Path, name: str, wanted: str, why: str, *, force: bool, as_json: bool, following: bool = False
) -> None:
    from hub.workbench import versions

    with errors():
        hub = opened(config, follow_files=following)
        try:
            full = named(hub.catalog, name)
            with hub.store.look() as connection:
                version = version_of(connection, hub.catalog, full, wanted)
            chosen = versions.candidate(
                hub.store, hub.catalog, hub.shops, hub.config, version, follow=following, back=wanted == "previous"
            )
            if chosen.settled:
                done = None
            else:
                with hub.store.begin() as connection:
                    done = versions.activate(connection, hub.catalog, chosen, actor(), why=why, force=force)
        finally:
            hub.store.close()
    if as_json:
        emit({"activated": stamped(asdict(done)) if done else None, "in_force": version.version, "was": chosen.current})
    elif done is None:
        out.print(f"{version.version} is in force already")
    else:
        _tell(name, version, chosen.current, done)


def _tell(name: str, version: "Version", was: str, done: "Activation") -> None:
    what = f"{version.version}" if done.version else f"the file ({version.version})"
    out.print(f"in force: {what}; it was {was}" + (", forced" if done.forced else ""), markup=False)
    back = "rollback" if done.sequence > 1 else "follow"
    out.print(f"[dim]back again:[/] hub mapping {back} {name}")
