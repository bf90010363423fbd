"""A real record as a case may keep it: with invented people, and everything else as it was.

The same value always becomes the same fake, so that what belonged together still does. Fakes keep the looks: a phone
number stays one in length and form, Chinese stays Chinese, a masked value stays masked.
"""

import hashlib
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from hub.mapping.expression import EVALUATION_ERRORS
from hub.mapping.known import Known
from hub.mapping.provenance import Path
from hub.mapping.rows import MappingFile
from hub.masking import is_sensitive

_FAMILY = "林周何许沈韩唐冯曹邓彭曾萧田董袁潘于蒋蔡"
_GIVEN = "安宁青禾云舒嘉木乐言知行子墨若水景明清和可风"
_KEPT = frozenset("省市区县镇乡村街道路巷弄号栋幢座单元楼层室州盟旗自治特别行政")
"""What tells the parts of an address apart: mappings split by them."""
_CHINESE = re.compile("[\u4e00-\u9fff]")
_PHONE = re.compile(r"\+?\d[\d\s()-]{5,}\d")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TELLING = 4
_TELLING_DIGITS = 7
"""Characters from which on a value is known again inside other texts; Chinese from two."""


def disguised(record: Any, mappings: list[MappingFile]) -> Any:
    """A copy in which nothing of a person is left: of what goes into personal fields, of fields that bear such names,
    of the record's numbers, and of whatever looks like a phone number or an address of mail."""
    known = Known(mappings)
    fakes = {text: fake(text) for text in _personal(record, known, _numbers(record, mappings))}
    inside = sorted((text for text in fakes if _is_telling(text)), key=len, reverse=True)
    return _rewritten(record, (), lambda path, value: _replaced(value, fakes, inside))


def fake(text: str) -> str:
    """What stands for a personal text, always the same.

    >>> fake("13912345678") == fake("13912345678") != "13912345678", len(fake("13912345678"))
    (True, 11)
    >>> fake("***"), fake("rosa@shop.example").partition("@")[2]
    ('***', 'example.com')
    """
    chance = random.Random(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())  # noqa: S311  # no secret
    for _ in range(20):
        made = _mail(text, chance) if _EMAIL.fullmatch(text) else "".join(_letters(text, chance))
        if made != text:
            return made
    return text


def _mail(text: str, chance: random.Random) -> str:
    return "".join(_letters(text.partition("@")[0], chance)) + "@example.com"


def _letters(text: str, chance: random.Random) -> Iterator[str]:
    for at, letter in enumerate(text):
        if letter.isdecimal() and letter.isascii():
            # the first two digits of a number say of what kind it is
            yield (
                letter if at < 2 and len(text) > 6 else str(chance.randrange(10)) if at else chance.choice("123456789")
            )
        elif letter.isascii() and letter.isalpha():
            yield chance.choice("abcdefghijklmnopqrstuvwxyz" if letter.islower() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        elif _CHINESE.match(letter) and letter not in _KEPT:
            yield chance.choice(_GIVEN if at else _FAMILY)
        else:
            yield letter if not letter.isalpha() or letter in _KEPT else chance.choice("aeiou")


def _numbers(record: Any, mappings: list[MappingFile]) -> set[str]:
    """The record's own number and its order's: they lead to a person."""
    found = set()
    for mapping in mappings:
        for expression in (mapping.key, mapping.subject):
            try:
                value = expression.search(record) if expression else None
            except EVALUATION_ERRORS:
                continue
            if isinstance(value, (str, int)) and not isinstance(value, bool):
                found.add(str(value))
    return found


def _personal(record: Any, known: Known, numbers: set[str]) -> Iterator[str]:
    for path, value in _leaves(record, ()):
        text = str(value)
        if isinstance(value, (bool, float, type(None))) or not text or _is_word(path, text, known):
            continue
        named = known.personal(path) or any(is_sensitive(name) for name in path)
        if named or text in numbers or _EMAIL.search(text) or (isinstance(value, str) and _PHONE.fullmatch(text)):
            yield text
    yield from numbers


def _is_word(path: Path, text: str, known: Known) -> bool:
    """A word of the platform: conditions or tables ask for it, or it is a code of two or three letters."""
    table = known.table(path)
    return (
        text in known.compared(path) or (table is not None and text in table) or bool(re.fullmatch("[A-Z]{2,3}", text))
    )


def _is_telling(text: str) -> bool:
    """Whether a text is known again inside another one: few digits are in every number."""
    if text.isdecimal():
        return len(text) >= _TELLING_DIGITS
    return len(text) >= _TELLING or (len(text) > 1 and bool(_CHINESE.search(text)))


def _replaced(value: Any, fakes: dict[str, str], inside: list[str]) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return value
    text = str(value)
    if text in fakes:
        made = fakes[text]
    else:
        made = text
        for personal in inside:
            if personal in made:
                made = made.replace(personal, fakes[personal])
    return int(made) if isinstance(value, int) and made.lstrip("-").isdecimal() else made if made != text else value


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*path, str(name)))
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    else:
        yield path, value


def _rewritten(value: Any, path: Path, change: Callable[[Path, Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: _rewritten(inner, (*path, str(name)), change) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rewritten(inner, path, change) for inner in value]
    return change(path, value)
