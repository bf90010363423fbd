"""Money: exact decimals in the currency's main unit (yuan, dollars), never binary floating point."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

MAX_WHOLE_DIGITS = 15
MAX_FRACTION_DIGITS = 12

_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UZS VED VES WST XCD XCG YER ZAR ZMW ZWG "
    # no longer issued, still met in old orders
    "CUC HRK MRO SLL STD VEF ZWL"
)
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF BYR"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

MINOR_DIGITS: Mapping[str, int] = {
    code: digits for digits, codes in ((2, _TWO), (0, _NONE), (3, _THREE), (4, _FOUR)) for code in codes.split()
}
"""ISO 4217: digits after the point of each currency."""

UNITS: Mapping[str, int] = {"major": 0, "yuan": 0, "jiao": 1, "fen": 2, "cent": 2, "li": 3}
"""Digits by which a unit is smaller than the main unit; "minor" is the currency's own."""

_CENT = Decimal("0.01")
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class MoneyTag:
    """Marks a field as an amount of money, in the main unit of its document's currency."""


def _bounded(value: Decimal) -> Decimal:
    """Keep amounts writable in plain digits and sums of them exact. Raises ValueError."""
    if value.same_quantum(_CENT) and value.adjusted() < MAX_WHOLE_DIGITS and value:
        return value
    if not value:
        # no -0.00, and no 0E-9
        return abs(value) if -7 < value.adjusted() <= 0 else Decimal(0)
    if value.adjusted() >= MAX_WHOLE_DIGITS:
        raise ValueError(f"more than {MAX_WHOLE_DIGITS} digits before the point")
    if value.adjusted() < -6 or -int(value.as_tuple().exponent) > MAX_FRACTION_DIGITS:
        raise ValueError(f"more than {MAX_FRACTION_DIGITS} digits after the point, or less than a millionth")
    return Decimal(f"{value:f}")


_AS_TEXT = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}

Number = Annotated[Decimal, AfterValidator(_bounded), WithJsonSchema(_AS_TEXT)]
"""An exact number that is not money: a rate, a quantity by weight. A decimal string in JSON."""

Money = Annotated[Decimal, AfterValidator(_bounded), WithJsonSchema({**_AS_TEXT, "format": "money"}), MoneyTag()]
"""An amount in the main unit of the document's currency. A decimal string in JSON: "59.90"."""


def minor_digits(currency: str) -> int:
    """Digits after the point of a currency by ISO 4217: CNY 2, JPY 0, KWD 3. 2 for a code that ISO does not know.

    >>> minor_digits("CNY"), minor_digits("JPY"), minor_digits("KWD")
    (2, 0, 3)
    """
    return MINOR_DIGITS.get(currency, 2)


@lru_cache(maxsize=16)
def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency.

    >>> minor_unit("CNY"), minor_unit("JPY")
    (Decimal('0.01'), Decimal('1'))
    """
    return Decimal(1).scaleb(-minor_digits(currency))


def in_digits(amount: Decimal, currency: str) -> Decimal:
    """The same amount, written with the currency's digits; with more only where it really has more.

    >>> in_digits(Decimal("59.9"), "CNY"), in_digits(Decimal("100.00"), "JPY"), in_digits(Decimal("0.125"), "CNY")
    (Decimal('59.90'), Decimal('100'), Decimal('0.125'))
    """
    unit = minor_unit(currency)
    if amount.same_quantum(unit):
        return amount
    written = amount.quantize(unit)
    return written if written == amount else amount


def parse_money(value: Any, currency: str, unit: str = "major") -> Decimal:
    """An amount as a platform writes it: decimal text, a whole number, or a JSON number, counted in `unit`.

    Returns the main unit with exactly the currency's digits. Raises ValueError for anything that is no plain number
    and for amounts with more digits than the currency has (zeros at the end do not count).

    >>> parse_money("59.9", "CNY"), parse_money(5990, "CNY", "fen"), parse_money(1000, "JPY", "minor")
    (Decimal('59.90'), Decimal('59.90'), Decimal('1000'))
    """
    amount = _number(value)
    smaller_by = minor_digits(currency) if unit == "minor" else UNITS.get(unit)
    if smaller_by is None:
        raise ValueError(f"unknown unit {unit!r}; known: {', '.join([*UNITS, 'minor'])}")
    if amount.adjusted() - smaller_by >= MAX_WHOLE_DIGITS:
        raise ValueError(f"more than {MAX_WHOLE_DIGITS} digits before the point")
    if amount != +amount:
        raise ValueError("more digits than an amount of money can have")
    amount = amount.scaleb(-smaller_by)
    written = amount.quantize(minor_unit(currency))
    if written != amount:
        raise ValueError(f"{amount:f} has more than the {minor_digits(currency)} digits of {currency}")
    return written if written else abs(written)


def _number(value: Any) -> Decimal:
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 40 or not _PLAIN.fullmatch(text):
            raise ValueError("not a plain decimal number")
        return Decimal(text)
    if isinstance(value, int) and not isinstance(value, bool):
        # long before Python would refuse to write it
        if value.bit_length() > 128:
            raise ValueError("a whole number of extreme length")
        return Decimal(value)
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise ValueError("not a number")
