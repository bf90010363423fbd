"""Compares what a receiver holds with what the stories say should have reached it: number by number."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from adapters.sandbox.receiver import Receiver
from adapters.sandbox.story import Story


def audit(
    receiver: Receiver, stories: Iterable[Story], shops: Mapping[str, str], mended: Collection[str] = ()
) -> dict[str, Any]:
    """For a receiver that every order and refund is routed to. `shops` names each channel's shop in hub.toml; `mended`
    the stories that were dead and went through later, such as "site/unknown_word".

    `missing`: numbers that should be there and are not. `unexpected`: numbers that should have ended elsewhere (dead,
    or refused by this receiver) or that no story knows. `differing`: orders whose newest document does not say what
    the story ends with; only canonical documents can be compared.
    """
    told = list(stories)
    good = [s for s in told if f"{s.channel}/{s.label}" in mended or not (s.dead or s.refused_by == receiver.name)]
    wanted = {key for story in good for key in numbers(story, shops)}
    held = receiver.newest()
    differing = []
    for story in told:
        document = held.get((shops.get(story.channel, story.channel), "order", story.subject))
        if document is not None and "schema" in document.body:
            differing += [
                {"label": story.label, "order_no": story.subject, "field": path, "wanted": value, "found": found}
                for path, value in story.final.items()
                if (found := at(document.body, path)) != value
            ]
    return {
        "wanted": len(wanted),
        "held": len(held),
        "missing": sorted(map(list, wanted - held.keys())),
        "unexpected": sorted(map(list, held.keys() - wanted)),
        "differing": differing,
    }


def numbers(story: Story, shops: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """Shop, kind and number of every document that a story makes."""
    shop = shops.get(story.channel, story.channel)
    return {(shop, step.kind, step.key) for step in story.steps if step.kind != "raw"}


def at(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is nothing."""
    found: Any = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
