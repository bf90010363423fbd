"""Traffic of five shops: real-shaped orders and refunds with invented values, the same for the same seed.

`orders("taobao", seed, count, now)` writes stories. Every awkward kind comes as often as its recipe says, everyday
stories fill up; some are broken on purpose. Each story knows what should come of it (see `Story`), so that a test or
the demo can count.
"""

from collections.abc import Iterable
from typing import Any

from adapters.sandbox.story import Book, Recipe, Step, Story, plan
from adapters.sandbox.traffic import douyin, jd, shopify, site, taobao

__all__ = ["CHANNELS", "Recipe", "Step", "Story", "expected", "orders"]

CHANNELS = ("taobao", "jd", "douyin", "shopify", "site")
_KITCHENS: dict[str, Any] = {"taobao": taobao, "jd": jd, "douyin": douyin, "shopify": shopify, "site": site}


def orders(channel: str, seed: int, count: int, now: float, spread_over: int = 15) -> list[Story]:
    """`count` stories that begin within `spread_over` seconds after `now` (seconds since 1970)."""
    kitchen = _KITCHENS[channel]
    return plan(Book(channel, seed, now, spread_over), kitchen.RECIPES, kitchen.EVERYDAY, count)


def expected(stories: Iterable[Story]) -> dict[str, Any]:
    """What should come out in the end: distinct documents by kind, letters by cause, refusals by receiver, labels."""
    totals: dict[str, Any] = {"stories": 0, "orders": 0, "refunds": 0, "dead": {}, "refused_by": {}, "labels": {}}
    for story in stories:
        totals["stories"] += 1
        totals["labels"][story.label] = totals["labels"].get(story.label, 0) + 1
        if story.dead:
            totals["dead"][story.dead] = totals["dead"].get(story.dead, 0) + 1
            continue
        totals["orders"] += story.orders
        totals["refunds"] += story.refunds
        if story.refused_by:
            totals["refused_by"][story.refused_by] = totals["refused_by"].get(story.refused_by, 0) + 1
    return totals
