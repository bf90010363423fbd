"""A story: what happens to one order on a platform, step by step, and what should come of it in the end."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.goods import CATALOGUE, Basket, BasketLine, Goods, spread


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens `at` seconds after the start.

    `how`: "both" (the platform shows it and pushes it), "pull" (shows it, the push is lost), "push" (pushes it, and its
    lists don't show it yet; a later step does), "again" (a push that comes late or once more: the platform's own state
    stays as it is), "lag" (for two seconds every answer shows the record as it was one change ago).
    `kind` is "order", "refund" or "raw" (a signed body that is no message of the platform).
    `after_seen`: not before the record as it is now was answered whole, for what nobody could know otherwise.
    `copies` pushes leave at the same moment with one message id. `flaw` spoils the push: "signature" or "timestamp".
    """

    at: int
    how: str
    kind: str
    key: str
    body: Mapping[str, Any] | bytes
    modified: float
    created: float
    subject: str = ""
    topic: str = ""
    copies: int = 1
    flaw: str = ""
    after_seen: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """The steps of one order, in order of time, under a label, with its fate.

    `orders` and `refunds` count the distinct documents that should come out; `dead` names the cause when the records of
    the story end as dead letters instead ("" otherwise), `refused_by` the receiver that should refuse them. `final` is
    part of the canonical order as it should stand in the end, by dotted names.
    """

    channel: str
    label: str
    subject: str
    steps: tuple[Step, ...]
    orders: int = 1
    refunds: int = 0
    dead: str = ""
    refused_by: str = ""
    final: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Without the bodies."""
        names = ("channel", "label", "subject", "orders", "refunds", "dead", "refused_by")
        return {n: getattr(self, n) for n in names} | {"final": dict(self.final), "steps": len(self.steps)}


class Book:
    """What a recipe writes its story with: chance, time, numbers and baskets. The same seed writes the same book."""

    def __init__(self, channel: str, seed: int, now: float, spread_over: int) -> None:
        self.channel, self.now = channel, int(now)
        self.rng = random.Random(f"{seed}/{channel}")  # noqa: S311  # has to be repeatable, hides nothing
        self._spread = max(spread_over, 1)
        self._numbers = self.rng.randrange(10**6, 9 * 10**6)
        self.at = 0

    def turn(self) -> None:
        """A new page: the next story begins at some moment of the spread."""
        self.at = self.rng.randrange(self._spread)

    def when(self, later: int = 0) -> int:
        """The instant, in seconds since 1970, `later` seconds after the story's beginning."""
        return self.now + self.at + later

    def ago(self, least: int = 300, most: int = 5400) -> int:
        """An instant some minutes before the story's beginning: when the order was placed."""
        return self.when() - self.rng.randrange(least, most)

    def number(self, digits: int = 19, head: str = "") -> str:
        """A number that no other record of this book has; of 19 digits it lies above 2**53."""
        self._numbers += self.rng.randrange(1, 50)
        filling = digits - len(head) - 8
        front = str(self.rng.randrange(10 ** (filling - 1), 10**filling)) if filling > 0 else ""
        return head + front + f"{self._numbers % 10**8:08d}"

    def hex(self, digits: int = 24) -> str:
        """Something opaque, as platforms use for keys of people."""
        return f"{self.rng.getrandbits(digits * 4):0{digits}x}"

    def basket(
        self, lines: int = 1, *, most: int = 1, off: bool = False, shipping: bool = False, gift: bool = False
    ) -> Basket:
        """Goods with quantities up to `most`; `off` adds discounts of lines and of the order, `gift` a line at 0."""
        rng = self.rng
        chosen = rng.sample(CATALOGUE, lines + gift)
        bought: list[tuple[Goods, int, int]] = []
        for goods in chosen[:lines]:
            quantity = rng.randint(1, most)
            discount = rng.randrange(0, goods.price * quantity // 4, 10) if off else 0
            bought.append((goods, quantity, discount))
        sums = [g.price * q - d for g, q, d in bought]
        order_off = rng.randrange(100, max(sum(sums) // 5, 200), 3) if off else 0
        shares = spread(order_off, sums)
        rows = [BasketLine(g, q, d, s) for (g, q, d), s in zip(bought, shares, strict=True)]
        if gift:
            rows.append(BasketLine(chosen[-1], 1, 0, 0, gift=True))
        return Basket(tuple(rows), rng.choice((600, 800, 1200)) if shipping else 0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How stories of one label are written, and how many of them any longer traffic holds at least."""

    write: Callable[[Book, str], Story]
    least: int = 1


def plan(book: Book, recipes: Mapping[str, Recipe], everyday: Sequence[str], count: int) -> list[Story]:
    """`count` stories: every label as often as it needs to be, the rest everyday ones, in a shuffled order."""
    labels = [label for label, recipe in recipes.items() for _ in range(recipe.least)][:count]
    labels += [book.rng.choice(everyday) for _ in range(count - len(labels))]
    book.rng.shuffle(labels)
    stories = []
    for label in labels:
        book.turn()
        stories.append(recipes[label].write(book, label))
    return stories
