"""docs/reference/cli.md: every command with its help."""

import inspect
from collections.abc import Iterator
from typing import Any

from hub.reference.markdown import code, escaped, table
from hub.reference.markdown import page as whole

_INTRO = """\
All commands take `-h`; `hub --version` tells the version. Those that read `hub.toml` look for it in the current folder
unless `--config` or the environment variable `HUB_CONFIG` says otherwise. With `--json` a command prints one JSON
document on standard output; what is wrong goes to standard error.

| exit code | meaning |
| --- | --- |
| 0 | all well |
| 1 | problems were found, or the thing asked for is not there |
| 2 | wrong usage |
| 3 | refused: by the configuration, or by a rule |

`HUB_ACTOR` is the name that the audit log gives to whoever acts; without it, that is the system's user name."""


def page(command: Any) -> str:
    """The page's text. `command` is a click group."""
    found = list(_commands(command, "hub"))
    overview = table(
        ("command", "what it does"),
        ((f"[`{name}`](#{_anchor(name)})", escaped(_first_paragraph(inner))) for name, inner in found),
    )
    return whole("The command", _INTRO, overview, *(_section(name, inner) for name, inner in found))


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for word, inner in group.commands.items():
        if inner.hidden:
            continue
        if hasattr(inner, "commands"):
            yield from _commands(inner, f"{name} {word}")
        else:
            yield f"{name} {word}", inner


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *(_shown(a) for a in arguments)])
    parts = [f"## {name}", f"```text\n{usage}\n```", escaped(inspect.cleandoc(command.help or ""))]
    parts.append(table(("argument", "meaning"), ((code(_name(a)), escaped(a.help or "")) for a in arguments)))
    parts.append(table(("option", "meaning"), ((_option(o), _meaning(o)) for o in options)))
    return "\n\n".join(part for part in parts if part)


def _shown(argument: Any) -> str:
    name = _name(argument) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper()).strip("[]").removesuffix("...")


def _option(option: Any) -> str:
    names = sorted([*option.opts, *option.secondary_opts], key=lambda o: (not o.startswith("--"), o))
    value = "" if option.is_flag else f" {option.name.upper()}"
    return ", ".join(code(n + (value if n.startswith("--") else "")) for n in names)


def _meaning(option: Any) -> str:
    notes = []
    if option.required:
        notes.append("**required**")
    default = option.default
    if not option.is_flag and not callable(default) and default not in (None, "", ()):
        notes.append(f"default {code(default)}")
    if option.envvar:
        notes.append(f"environment {code(option.envvar)}")
    return escaped(option.help or "") + (f" ({', '.join(notes)})" if notes else "")


def _first_paragraph(command: Any) -> str:
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
