"""Everything that knows a vendor's wire. The module name is the registration: `load("channels", "taobao")`."""

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

from canonical.errors import ConfigError

__all__ = ["codes", "load"]

_HERE = Path(__file__).parent


def codes(kind: str) -> list[str]:
    """Names of the adapters there are; kind is "channels", "destinations" or "notifiers"."""
    own = {m.name for m in pkgutil.iter_modules([str(_HERE / kind)]) if not m.name.startswith("_")}
    return sorted(own | {e.name.partition(".")[2] for e in _third_party(kind)})


def load(kind: str, code: str) -> Any:
    """The adapter class of that name. Imported on first use, so that a broken one stops nobody else.

    Raises ConfigError naming the adapters that exist.
    """
    if code not in codes(kind):
        raise ConfigError([f'unknown {kind.removesuffix("s")} "{code}"; there are: {", ".join(codes(kind))}'])
    for entry in _third_party(kind):
        if entry.name == f"{kind}.{code}":
            return entry.load()
    return importlib.import_module(f"adapters.{kind}.{code}").ADAPTER


def _third_party(kind: str) -> list[Any]:
    return [e for e in _entry_points() if e.name.startswith(f"{kind}.")]


@cache
def _entry_points() -> tuple[Any, ...]:
    """What other packages bring. To look for it reads the metadata of every package that is installed."""
    from importlib.metadata import entry_points

    return tuple(entry_points(group="hub.adapters"))
