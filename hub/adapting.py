"""The adapters that hub.toml names, made with their settings; and what is wrong in hub.toml beside the mappings.

It needs neither the store nor what runs the hub: commands that need no more than this load no more.
"""

import difflib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

import adapters
from canonical.errors import ConfigError
from hub import config as configuration
from hub.config import Config
from hub.routing import Routes


def problems_of(config: Config) -> list[str]:
    """What is wrong, but for what only the mappings tell. For commands that look into the store alone."""
    problems: list[str] = []
    sections: list[tuple[str, str, str, str, Any]] = [
        *(("channels", f"shops.{name}", "channel", shop.channel, shop) for name, shop in config.shops.items()),
        *(("destinations", f"destinations.{name}", "kind", d.kind, d) for name, d in config.destinations.items()),
        *(("notifiers", f"alerts.to.{name}", "kind", to.kind, to) for name, to in config.alerts.to.items()),
    ]
    for kind, at, key, code, section in sections:
        adapter = adapter_class(kind, code, f"{at}.{key}", problems)
        if adapter is not None:
            made(adapter, section.adapter_settings, f"{at}.", problems, config.folder)
    routes(config, problems)
    folder = config.folder / config.hub.mappings
    if not folder.is_dir():
        problems.append(f"{folder}: the folder of mappings does not exist")
    return [*problems, *hook(config)]


def adapter_class(kind: str, code: str, at: str, problems: list[str]) -> Any:
    """The class of that name; None where there is none, which is added to problems."""
    try:
        return adapters.load(kind, code)
    except ConfigError as error:
        near = difflib.get_close_matches(code, adapters.codes(kind), 1)
        problems += [f"{at}: {p}" + (f"; did you mean {near[0]!r}?" if near else "") for p in error.problems]
        return None


def made(
    adapter: Any, given: dict[str, Any], prefix: str, problems: list[str], folder: Path
) -> tuple[BaseModel, Any] | None:
    """Its settings, and an adapter made with them. None where they are wrong, which is added to problems."""
    for key in getattr(adapter, "paths", ()):  # as all paths in hub.toml, they start where it lies
        if given.get(key) and isinstance(given[key], str):
            given[key] = str(folder / given[key])
    try:
        settings: BaseModel = adapter.Settings.model_validate(dict(given))
    except ValidationError as error:
        problems += configuration.explain(error, adapter.Settings, prefix)
        return None
    adapted = make(adapter, settings)
    problems += _expressions_of(adapted, prefix)
    return settings, adapted


def make(adapter: Any, settings: BaseModel) -> Any:
    """An adapter whose settings hold JMESPath texts is given the language with them."""
    if "search" in inspect.signature(adapter).parameters:
        return adapter(settings, _search)
    return adapter(settings)


def unconfigured(adapter: Any) -> Any:
    """An adapter that can read payloads but has no credentials, for `hub map`."""
    missing = {n: f for n, f in adapter.Settings.model_fields.items() if f.is_required()}
    blank = {n: SecretStr("-") if "Secret" in str(f.annotation) else "-" for n, f in missing.items()}
    return make(adapter, adapter.Settings.model_construct(**blank))


def mappings_folder(config: Config | None = None) -> Path:
    """hub.mappings relative to hub.toml, or the mappings that come with the hub."""
    if config is not None and config.hub.mappings:
        return config.folder / config.hub.mappings
    return Path(adapters.__file__).parents[1] / "mappings"


def routes(config: Config, problems: list[str]) -> Routes:
    """The routes; without any where one is wrong, which is added to problems."""
    try:
        return Routes(config, _condition)
    except ConfigError as error:
        problems += error.problems
        return Routes(config.model_copy(update={"routes": ()}), _condition)


def hook(config: Config) -> list[str]:
    """What is wrong with the address that drift is told to."""
    address, secret = config.hub.drift_hook, config.hub.drift_hook_secret.get_secret_value()
    problems = []
    if address and not re.fullmatch(r"https?://[^/\s]+\S*", address):
        problems.append(f"hub.drift_hook: {address!r} is no address; write one like https://it.example.com/hooks/drift")
    if secret:
        from adapters.credentials import check_key

        try:
            check_key(secret)
        except ValueError as error:
            problems.append(f"hub.drift_hook_secret: {error}")
    return problems


def _expressions_of(adapter: Any, prefix: str) -> list[str]:
    """Problems of the JMESPath texts in an adapter's settings."""
    problems = []
    for key, text in getattr(adapter, "expressions", {}).items():
        try:
            _compiled(text)
        except ValueError as error:  # jmespath's syntax errors
            problems.append(f"{prefix}{key}: {text!r} is not JMESPath: {str(error).splitlines()[0]}")
    return problems


def _condition(text: str) -> Any:
    try:
        return _compiled(text)
    except ValueError as error:  # jmespath's syntax errors
        raise ConfigError([f"routes: if = {text!r}: {error}"]) from error


def _search(text: str, data: Any) -> Any:
    return _compiled(text).search(data)


@cache
def _compiled(text: str) -> Any:
    from hub.mapping import expression  # many a hub.toml holds no JMESPath

    return expression.compile(text)
