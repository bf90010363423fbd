"""What tells the adapters there are, between two markers: the tables in the READMEs, the links in docs/index.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import adapters
from adapters.port import Capability
from hub.reference.markdown import code, table

BEGIN, END = "<!-- adapters: written by `hub docs` -->", "<!-- end of adapters -->"
LINKS_BEGIN, LINKS_END = "<!-- channels: written by `hub docs` -->", "<!-- end of channels -->"
_NO = "–"

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "channel": "channel",
        "code": "code",
        "destination": "destination",
        "look up": "can be asked after a lost answer",
        "yes": "yes",
        "configured": "if configured",
        **{c.value: c.value for c in Capability},
    },
    "zh": {
        "channel": "渠道",
        "code": "代码",
        "destination": "目的地",
        "look up": "应答丢失后可回查",
        "yes": "有",
        "configured": "配置后可用",
        Capability.WEBHOOK.value: "推送",
        Capability.PULL_ORDERS.value: "拉取订单",
        Capability.PULL_REFUNDS.value: "拉取退款",
        Capability.FETCH.value: "按单号查询",
        Capability.TOKEN_REFRESH.value: "刷新令牌",
        Capability.SHIPMENT_BACK.value: "回传发货",
        Capability.STOCK_BACK.value: "回传库存",
    },
}


def fill(text: str, language: str) -> str:
    """The README with its tables up to date. Raises ValueError where the markers are missing."""
    words = WORDS[language]
    return _between(text, BEGIN, END, f"\n\n{_channels(words)}\n\n{_destinations(words)}\n\n")


def fill_index(text: str, by_settings: Sequence[str]) -> str:
    """docs/index.md with its links to the channels' pages up to date; `by_settings` are platforms without an adapter.

    Raises ValueError as `fill` does.
    """
    links = ", ".join(f"[{code(c)}](reference/channels/{c}.md)" for c in [*adapters.codes("channels"), *by_settings])
    return _between(text, LINKS_BEGIN, LINKS_END, links)


def _between(text: str, begin: str, end: str, content: str) -> str:
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the markers {begin} and {end} are missing")
    return pattern.sub(lambda _: begin + content + end, text, count=1)


def _channels(words: Mapping[str, str]) -> str:
    head = (words["channel"], words["code"], *(words[c.value] for c in Capability))
    return table(head, _channel_rows(words))


def _channel_rows(words: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for name in adapters.codes("channels"):
        adapter = adapters.load("channels", name)
        link = f"[{code(name)}](docs/reference/channels/{name}.md)"
        yield (
            adapter.title,
            link,
            *(words["yes"] if c in adapter.capabilities else _NO for c in Capability),
        )


def _destinations(words: Mapping[str, str]) -> str:
    rows = []
    for name in adapters.codes("destinations"):
        adapter: Any = adapters.load("destinations", name)
        # A destination that is asked by settings of its own can only be asked where they are given.
        optional = "look_up" in adapter.Settings.model_fields
        asked = words["configured"] if optional else words["yes"] if adapter.can_look_up else _NO
        anchor = f"docs/reference/configuration.md#destination-{name}-"
        rows.append((adapter.title, f"[{code(name)}]({anchor}{_slug(adapter.title)})", asked))
    return table((words["destination"], words["code"], words["look up"]), rows)


def _slug(title: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
