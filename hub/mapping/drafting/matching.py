"""Which place of a sample a canonical field probably comes from: by the name, by what the values look like, by where it
lies. A confidence is between 0 and 1 and says how often such a guess holds, not more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from hub.mapping.drafting import looks as look
from hub.mapping.drafting.samples import Leaf
from hub.mapping.drafting.vocabulary import FIELDS, names_of
from hub.mapping.shape import Field

SURE, DOUBTFUL = 0.6, 0.3
"""From SURE on a guess becomes a row, from DOUBTFUL on a comment."""
_NOISE = frozenset(
    [
        "fen",
        "cent",
        "cents",
        "amt",
        "set",
        "the",
        "of",
        "in",
        "total",
        "value",
        "code",
        "base",
        "utc",
        "str",
        "yuan",
        "rmb",
        "list",
    ]
)
_UNITS = frozenset({"fen", "cent", "cents", "yuan", "rmb", "amt"})
_TOP = frozenset({"order_no", "group_no", "display_no", "refund_no"})
"""Fields that lie at the top of a record."""
PLACES = {
    "receiver": frozenset(
        ["receiver", "consignee", "address", "addr", "recipient", "shipping", "delivery", "ship", "shouhuo"]
    ),
    "buyer": frozenset(["customer", "buyer", "user", "member", "billing", "pin"]),
    "totals": frozenset(
        ["payment", "price", "pay", "totals", "total", "amount", "money", "info", "detail", "sums", "fee"]
    ),
}
_ELSEWHERE = frozenset(
    [
        "receiver",
        "consignee",
        "address",
        "addr",
        "recipient",
        "customer",
        "buyer",
        "user",
        "billing",
        "refund",
        "refunds",
        "fulfillment",
        "fulfillments",
        "client",
        "store",
        "seller",
        "shop",
        "return",
        "invoice",
        "coupon",
        "coupons",
        "promotion",
        "promotions",
        "discount",
        "discounts",
        "transactions",
        "lines",
        "items",
        "settle",
        "attributes",
        "settlement",
        "presentment",
    ]
)
"""Words of what a place lies under that make it somebody else's."""
_VAGUE = frozenset({"amount", "value"})
_REGIONS = frozenset({"province", "city", "district", "town", "county", "street", "country", "state"})
_HOMELESS = frozenset(
    [
        "name",
        "phone",
        "mobile",
        "tel",
        "city",
        "state",
        "province",
        "country",
        "town",
        "district",
        "street",
        "email",
        "id",
        "zip",
        "address",
        "area",
    ]
)


@dataclass(slots=True)
class Candidate:
    """One place, how likely it is, and why."""

    leaf: Leaf
    confidence: float
    why: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its JMESPath."""
        return self.leaf.text

    def moved(self, by: float, why: str) -> None:
        """More or less sure, for a reason."""
        self.confidence = round(min(max(self.confidence + by, 0.0), 0.98), 2)
        self.why.append(why)


def candidates(kind: str, name: str, target: Field, leaves: Sequence[Leaf]) -> list[Candidate]:
    """The likely places of a field ("totals.paid", "lines.sku"), the likeliest first."""
    found: list[tuple[float, Candidate]] = []
    for leaf in leaves:
        by_name, why = _by_name(kind, name, leaf)
        if why != "the name" and _elsewhere(kind, name, leaf.name):
            by_name -= 0.3  # it is what another field is called
        by_place = _by_place(name, leaf)
        if by_name <= 0:
            continue
        fits, seen = _by_value(name, target, leaf)
        confidence = round(max(by_name + by_place, 0.0) * fits, 2)
        if confidence >= DOUBTFUL - 0.1:
            found.append((confidence, Candidate(leaf, min(confidence, 0.95), [w for w in (why, seen) if w])))
    return [c for _, c in sorted(found, key=lambda pair: (-pair[0], len(pair[1].leaf.keys)))[:6]]


def _by_name(kind: str, name: str, leaf: Leaf) -> tuple[float, str]:
    own = leaf.name
    squeezed = own.replace("_", "")
    parent = leaf.keys[-2].removesuffix("[0]").lower() if len(leaf.keys) > 1 else ""
    words = set(own.split("_"))
    best, why = 0.0, ""
    for rank, usual in enumerate(names_of(kind, name)):
        above, _, last = usual.rpartition(".")
        weight = 0.95 - 0.012 * min(rank, 20)
        if above and (parent != above or last != own):
            continue
        if last == own or last.replace("_", "") == squeezed:
            score, told = weight, "the name"
        elif not last.isascii() and last in own:
            score, told = 0.75, f"the name has {last}"
        else:
            score, told = _by_words(set(last.split("_")), words, weight)
        if score > best:
            best, why = score, told
    return best, why


@cache
def _elsewhere(kind: str, name: str, own: str) -> bool:
    section = name.startswith("lines.")
    return any(
        own in names_of(kind, other)[:4]
        for other in FIELDS[kind]
        if other != name and other.startswith("lines.") == section
    )


def _by_words(usual: set[str], own: set[str], weight: float) -> tuple[float, str]:
    shared, extra = usual & own, own - usual - _UNITS
    if not shared - _NOISE or usual - own:
        return 0.0, ""
    if extra & {"first", "last"}:
        return 0.3, f"the name has {next(iter(shared))}"
    if len(usual) == 1 and extra:
        return weight - 0.35 - 0.1 * (len(extra) - 1), f"the name has {next(iter(usual))}"
    return weight - 0.1 - 0.15 * len(extra - _NOISE), "the name is much the same"


def _by_place(name: str, leaf: Leaf) -> float:
    section = name.partition(".")[0]
    above = leaf.above
    at = 0.0
    if leaf.inside_list and section != "tags":
        at -= 0.35
    if leaf.name in _VAGUE and len(leaf.keys) > 1:
        at -= 0.4  # price_set.amount is a price: what a place is about, the name above it says
    if section == "lines" and above & PLACES["receiver"]:
        return at - 0.45
    if section == "receiver" and ("billing" in above or (name == "receiver.name" and above & _REGIONS)):
        return at - 0.45
    home = PLACES.get(section)
    if home and above & home:
        return at if section == "totals" else at + 0.05
    if name in _TOP and len(leaf.keys) > 1:
        at -= 0.15
    if section in ("receiver", "buyer") and leaf.name in _HOMELESS:
        return at - (
            0.15 if section == "receiver" and leaf.name not in ("name", "id", "email", "state") and not above else 0.4
        )
    if section != "lines" and above & _ELSEWHERE:
        return at - 0.45
    return at - 0.02 * (len(leaf.keys) - 1)


def _by_value(name: str, target: Field, leaf: Leaf) -> tuple[float, str]:
    """How well the values fit (0 not at all, 1 as they should), and what they look like."""
    seen = look.looks(leaf.values)
    if look.NOTHING in seen or (target.as_ == "time" and all(map(look.no_time, leaf.told))):
        return 0.85, "no value in the sample"
    wanted = _WANTED.get(name) or _BY_TYPE.get("words" if target.words else target.as_)
    if wanted is None:
        return (0.3, "") if look.URL in seen else (1.0, "")
    if not seen & wanted or (name in _SHORT and any(len(str(v)) > _LONGEST for v in leaf.told)):
        return 0.0, ""
    return 1.0, next(iter(seen & wanted)) if len(wanted) == 1 else ""


_BY_TYPE: dict[str, frozenset[str]] = {
    "time": frozenset({look.TIME}),
    "money": frozenset({look.MONEY}),
    "int": frozenset({look.INT, look.NUMBER}),
    "bool": frozenset({look.BOOL}),
    "words": frozenset({look.WORD}),
}
_SHORT = frozenset({"receiver.name", "receiver.phone", "receiver.city", "receiver.province", "order_no"})
_LONGEST = 64
_ID = frozenset({look.INT, look.WORD, look.TEXT, look.PHONE})
_KEY = _ID | {look.CIPHER}
_NAME = frozenset({look.TEXT, look.WORD})
_WANTED: dict[str, frozenset[str]] = {
    "order_no": _ID,
    "refund_no": _ID,
    "group_no": _ID,
    "buyer_note": frozenset({look.TEXT}),
    "seller_note": frozenset({look.TEXT}),
    "receiver.token": _KEY,
    "buyer.id": _KEY,
    "lines.line_no": _ID,
    "receiver.phone": frozenset({look.PHONE, look.INT, look.TEXT}),
    "invoice.phone": frozenset({look.PHONE, look.INT}),
    "buyer.email": frozenset({look.EMAIL}),
    "receiver.name": _NAME,
    "receiver.country": frozenset({look.COUNTRY, look.TEXT}),
    "receiver.province": _NAME,
    "receiver.city": _NAME,
    "receiver.street": _NAME,
    "lines.title": _NAME | {look.INT},
    "currency": frozenset({look.CURRENCY}),
}
