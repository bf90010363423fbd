"""What the sandbox's shops sell, and the arithmetic of a basket in fen (hundredths), so that every sum is exact."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goods:
    """One thing to buy. `price` in fen (cents in a shop abroad); the platform's ids lie above 2**53 on purpose."""

    sku: str
    title: str
    variant: str
    price: int
    item_id: int
    variant_id: int


def _goods(number: int, sku: str, title: str, variant: str, price: int) -> Goods:
    return Goods(sku, title, variant, price, 3600_0000_0000_0000_100 + number * 7, 1770_1000_0000_0100 + number * 13)


CATALOGUE: tuple[Goods, ...] = (
    _goods(1, "LAMP-OAK-01", "橡木台灯", "颜色分类:原木色", 12900),
    _goods(2, "LAMP-OAK-02", "橡木落地灯", "颜色分类:胡桃色", 39900),
    _goods(3, "MUG-BLUE-350", "手作马克杯", "颜色分类:海蓝;容量:350ml", 4990),
    _goods(4, "MUG-WHITE-350", "手作马克杯", "颜色分类:米白;容量:350ml", 4990),
    _goods(5, "TEA-GREEN-100", "明前绿茶", "净含量:100g", 8800),
    _goods(6, "TEA-BLACK-250", "高山红茶", "净含量:250g", 11650),
    _goods(7, "TOWEL-L-GREY", "长绒棉浴巾", "颜色分类:浅灰;尺寸:70*140cm", 7900),
    _goods(8, "TOWEL-S-GREY", "长绒棉面巾", "颜色分类:浅灰;尺寸:34*76cm", 1999),
    _goods(9, "CHAIR-ASH-A", "白蜡木餐椅", "颜色分类:本色", 45900),
    _goods(10, "SHELF-3L", "三层置物架", "尺寸:60*30*90cm", 16800),
    _goods(11, "NOTE-A5-DOT", "点阵笔记本", "规格:A5;颜色分类:墨绿", 2850),
    _goods(12, "PEN-GEL-05", "中性笔十支装", "规格:0.5mm", 1590),
    _goods(13, "VASE-CLAY-M", "粗陶花瓶", "尺寸:中号", 9350),
    _goods(14, "RUG-WOOL-120", "羊毛地毯", "尺寸:120*180cm", 68800),
)


SKUS = frozenset(goods.sku for goods in CATALOGUE)
DISCONTINUED = "LAMP-ELM-09"
"""A code that the merchant still types and that no catalogue has."""


@dataclass(frozen=True, slots=True)
class BasketLine:
    """One line. `discount` is the line's own, `share` its part of the order's discount, both in fen."""

    goods: Goods
    quantity: int
    discount: int = 0
    share: int = 0
    gift: bool = False

    @property
    def price(self) -> int:
        """Of one piece, before any discount."""
        return 0 if self.gift else self.goods.price

    @property
    def listed(self) -> int:
        """Price times quantity."""
        return self.price * self.quantity

    @property
    def amount(self) -> int:
        """What the buyer owes for the line."""
        return self.listed - self.discount - self.share


@dataclass(frozen=True, slots=True)
class Basket:
    """The lines of an order and its freight."""

    lines: tuple[BasketLine, ...]
    shipping: int = 0

    @property
    def goods(self) -> int:
        return sum(line.listed for line in self.lines)

    @property
    def discount(self) -> int:
        """Of lines and of the order together."""
        return sum(line.discount + line.share for line in self.lines)

    @property
    def share(self) -> int:
        """The order's own discount."""
        return sum(line.share for line in self.lines)

    @property
    def payable(self) -> int:
        return self.goods - self.discount + self.shipping

    def split(self, at: int) -> "tuple[Basket, Basket]":
        """Two parcels; the first keeps the freight."""
        return Basket(self.lines[:at], self.shipping), Basket(self.lines[at:])


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount over lines by their weights; what does not divide goes to the last line that weighs anything."""
    whole = sum(weights)
    if not whole:
        return [0 for _ in weights]
    shares = [amount * w // whole for w in weights]
    last = max(i for i, w in enumerate(weights) if w)
    shares[last] += amount - sum(shares)
    return shares


def yuan(fen: int) -> str:
    """1234 as "12.34"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
