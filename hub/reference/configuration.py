"""docs/reference/configuration.md: every key of hub.toml."""

from typing import Any

import adapters
from hub.config import (
    Alerts,
    Config,
    DestinationSection,
    HubSection,
    NotifierSection,
    Retention,
    Route,
    Shop,
    Tenant,
)
from hub.reference.markdown import code, prose
from hub.reference.markdown import page as whole
from hub.reference.settings import settings_table

_INTRO = """\
The `hub.toml` at the top of the repository is a commented example that runs as it is, and `hub init` writes one for a
deployment elsewhere. `hub check` tells everything that is wrong with one, and the hub does not start before it is
right. Unknown keys are refused, with the nearest known one.

- A **duration** is written with its unit: `"500ms"`, `"30s"`, `"10m"`, `"24h"`, `"7d"`.
- A **rate** is a number of things per time: `"50/s"`, `"600/m"`, `"1000/h"`.
- A **size** is written as `"512KiB"`, `"10MiB"`, `"1GB"`.
- Any text may be `"env:NAME"`, which is the environment variable NAME, or `"file:PATH"`, which is the content of
  that file (relative to `hub.toml`) without the space around it. Secrets belong there and nowhere else.
- A **table** may be written inline, `pull = { every = "30s" }`, or as a section, `[shops.NAME.pull]`. A dot in a
  key of this page stands for the table around it; `order|refund` stands for one of these words. A key that is
  required inside of an optional table is required where that table is there."""

_SECTIONS: tuple[tuple[str, str, type[Any]], ...] = (
    ("[hub]", "One table for the whole deployment.", HubSection),
    ("[shops.NAME]", "One table a shop. NAME is yours; pushes of the shop go to `POST /hooks/NAME`.", Shop),
    ("[tenants.NAME]", 'What all shops with `tenant = "NAME"` have in common.', Tenant),
    (
        "[destinations.NAME]",
        "One table a receiving system. Adapter, limits, retry and mapping; the adapter's own keys follow below.",
        DestinationSection,
    ),
    (
        "[[routes]]",
        "Which documents go where; all entries that hold count. A document that no entry's `if` takes is stored and "
        "not sent; a kind that no entry is about becomes a dead letter (`routing.none`).",
        Route,
    ),
    (
        "[retention]",
        "What is let go of after a time. Dead letters, and what they are about, stay whatever their age.",
        Retention,
    ),
    ("[alerts]", "When people are told of what waits. Of groups of dead letters they are told at once.", Alerts),
    ("[alerts.to.NAME]", "Whom; further keys by `kind`, below.", NotifierSection),
)


def page() -> str:
    """The page's text."""
    known = set(Config.model_fields) - {"folder"}
    assert known == {"hub", "shops", "tenants", "destinations", "routes", "retention", "alerts"}  # noqa: S101  # a new section needs a place here
    parts = [_INTRO]
    for title, meaning, model in _SECTIONS:
        parts += [f"## `{title}`", meaning, settings_table(model)]
    for kind, title, key, where in (
        ("destinations", "Destination", "kind", "[destinations.NAME]"),
        ("channels", "Channel", "channel", "[shops.NAME]"),
        ("notifiers", "Notifier", "kind", "[alerts.to.NAME]"),
    ):
        for name in adapters.codes(kind):
            adapter = adapters.load(kind, name)
            setting = code(f'{key} = "{name}"')
            parts += [
                f"## {title} `{name}`: {adapter.title}",
                f"Further keys of `{where}` where {setting}. {prose(adapter.Settings.__doc__ or '')}",
                settings_table(adapter.Settings),
            ]
    return whole("hub.toml", *parts)
