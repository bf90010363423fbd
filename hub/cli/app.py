"""The root of the command: global options, and which module holds which command."""

import importlib
import io
import sys
from collections import UserDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

MODULES = {
    "init": ("init", "check"),
    "run": ("run", "serve", "work"),
    "map": ("map",),
    "trace": ("trace",),
    "chaos": ("chaos",),
    "erase": ("erase",),
    "demo": ("demo", "sandbox"),
    "pull": ("pull",),
    "doctor": ("doctor",),
    "docs": ("docs",),
    "orders": ("orders",),
    "deliveries": ("deliveries",),
    "destinations": ("destinations",),
    "dlq": ("dlq",),
    "mapping": ("mapping",),
    "audit": ("audit",),
    "tokens": ("token",),
    "bench": ("bench",),
    "keys": ("key",),
}
"""Modules of hub.cli with their commands, in the order of the help. One that holds several words under a noun has an
`app`, any other a `register`."""


class Commands(UserDict[str, Any]):
    """Commands by name. One that is looked up is built from its module: a command loads no other's."""

    def __init__(self) -> None:
        super().__init__({name: module for module, names in MODULES.items() for name in names})

    def __getitem__(self, name: str) -> Any:
        if isinstance(self.data[name], str):
            self.data.update(_built(self.data[name]))
        return self.data[name]


def _built(name: str) -> dict[str, Any]:
    module = importlib.import_module(f"hub.cli.{name}")
    built = typer.Typer(**_SETTINGS)
    if hasattr(module, "app"):
        built.add_typer(module.app, name=MODULES[name][0])
    else:
        module.register(built)
    commands = dict(get_group(built).commands)
    for command in commands.values():
        _spare(command)
    return commands


def _spare(command: Any) -> None:
    """Have typer load pydantic, which converts values, where there is a value: usage errors come out before that."""
    listed = command.get_params

    def get_params(ctx: Any) -> list[Any]:
        params: list[Any] = listed(ctx)
        for param in params:
            build = getattr(param, "get_runtime_param", None)
            if build is not None and not isinstance(build, partial):
                param.get_runtime_param = partial(_Deferred, param, build)
        return params

    command.get_params = get_params
    if not isinstance(command, Root):
        for inner in getattr(command, "commands", {}).values():
            _spare(inner)


@dataclass(frozen=True, slots=True)
class _Deferred:
    param: Any
    build: Callable[[], Any]

    def coerce(self, value: Any, **context: Any) -> Any:
        if value is not None:
            return self.build().coerce(value, **context)
        return () if self.param.multiple or self.param.nargs == -1 else None


class Root(TyperGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = Commands()
        _spare(self)


_SETTINGS: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}

app = typer.Typer(
    name="hub",
    cls=Root,
    help="Orders, refunds and stock from every channel to ERP, WMS and tax, with nothing lost.\n\n"
    "Start with: hub init, hub check, hub run. Try a mapping with: hub map taobao FILE. "
    "See one order's whole story with: hub trace ORDER.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    **_SETTINGS,
)


def _version(wanted: bool | None) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"hub {version('order-connector-hub')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool | None = typer.Option(None, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def main() -> None:
    """Entry point. A sign that a terminal's encoding lacks is spelled out, and stops nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    app()
