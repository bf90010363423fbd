"""Turns a row that gives one value into a closure: read, take absent values out, convert, add up, fall back.

What goes wrong with the data is noted in the Run, with the row that was at work; the value is then null.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hub.mapping import functions, texts
from hub.mapping.expression import EVALUATION_ERRORS, is_true
from hub.mapping.functions import Unfit
from hub.mapping.rows import Value
from hub.mapping.run import Build, Convert, Frame, Run, scope_of, searcher
from hub.mapping.telling import blame, missing


def compile_value(row: Value, *, outward: bool) -> Build:
    """The closure of a row with an expression or a constant."""
    if row.path is None:
        constant = row.constant
        return lambda frame: constant
    read = _reader(row, outward)
    default, required, search = row.default, row.required, row.path.search
    plain_item = row.source == "item"
    pick = scope_of(row.source)

    def build(frame: Frame) -> Any:
        try:
            value = read(frame.item if plain_item else pick(frame), frame.run)
        except Unfit as unfit:
            return blame(row, frame, unfit)
        except EVALUATION_ERRORS as error:
            return blame(row, frame, error)
        if value is None:
            if required and default is None:
                return missing(row, frame, search)
            return default
        return value

    return _distinct(row, build) if row.distinct else build


def _distinct(row: Value, build: Build) -> Build:
    """The line numbers of platforms that have none: the second line of SKU 7 is 7-2."""

    def numbered(frame: Frame) -> Any:
        value = build(frame)
        if value is None:
            return None
        place = (row.label, frame.at[:-1], str(value))
        count = frame.run.seen[place] = frame.run.seen.get(place, 0) + 1
        return value if count == 1 else f"{value}-{count}"

    return numbered


def _reader(row: Value, outward: bool) -> Convert:
    """From the scope's data to the finished value (null where the wire says nothing): read, adjust, sum or gather."""
    one = _adjusted(row, outward)
    if row.each is None:
        return one
    search = searcher(row.each, row.source, row.label)
    kept = searcher(row.where, row.source, row.label) if row.where else None
    collect, finish = row.collect, finisher_of(row, outward=outward)

    def over_items(data: Any, run: Run) -> Any:
        items = items_of(search(data, run.walker))
        if items is None:
            return None
        values = [one(item, run) for item in items if kept is None or is_true(kept(item, run.walker))]
        values = [value for value in values if value is not None]
        return values if collect else finish(sum(values), run)

    return over_items


def _adjusted(row: Value, outward: bool) -> Convert:
    """One value: the expression's result, absent values taken out, converted, the arithmetic done."""
    assert row.path is not None  # noqa: S101  # constants never come here
    search = searcher(row.path, row.source, row.label)
    absent, chinese = absent_of(row), row.chinese
    summed = is_sum(row)
    arithmetic = has_arithmetic(row)
    convert = operand_of(row, outward=outward) if summed or arithmetic else conversion_of(row, outward=outward)

    def one(data: Any, run: Run) -> Any:
        value = search(data, run.walker)
        if value is None or (absent and is_absent(value, absent)):
            return None
        return convert(texts.from_chinese(value) if chinese else value, run)

    if not arithmetic:
        return one
    compute = _arithmetic(row, outward)
    finish = finisher_of(row, outward=outward)

    def computed(data: Any, run: Run) -> Any:
        value = one(data, run)
        if value is None:
            return None
        value = compute(value, data, run)
        return value if summed or value is None else finish(value, run)

    return computed


def _arithmetic(row: Value, outward: bool) -> Callable[[Any, Any, Run], Any]:
    times, divide = (searcher(e, row.source, row.label) if e else None for e in (row.times, row.divide))
    plus, minus = ([searcher(e, row.source, row.label) for e in some] for some in (row.plus, row.minus))
    compute = arithmetic_of(row, outward=outward)

    def computed(value: Any, data: Any, run: Run) -> Any:
        walker = run.walker
        factor = times(data, walker) if times is not None else None
        divisor = divide(data, walker) if divide is not None else None
        return compute(value, factor, divisor, [e(data, walker) for e in plus], [e(data, walker) for e in minus], run)

    return computed


def arithmetic_of(row: Value, *, outward: bool) -> Callable[..., Any]:
    """value * times / divide + plus - minus, exactly, of what was read; run comes last.

    A null factor gives null, a null summand counts as 0.
    """
    amount = operand_of(row, outward=outward)
    multiplies, divides = row.times is not None, row.divide
    money = row.as_ == "money"

    def compute(value: Any, times: Any, divide: Any, plus: list[Any], minus: list[Any], run: Run) -> Any:
        if multiplies:
            if times is None or (factor := functions.to_decimal(times)) is None:
                return None
            value = value * factor
        if divides is not None:
            if divide is None or (divisor := functions.to_decimal(divide)) is None:
                return None
            if not divisor:
                raise Unfit(0, f"something other than 0 to divide by ({divides.text})", code="mapping.bad_money")
            value = functions.rounded(value / divisor, run.currency) if money else value / divisor
        for found, sign in [*((one, 1) for one in plus), *((one, -1) for one in minus)]:
            if found is not None and (summand := amount(found, run)) is not None:
                value += sign * summand
        return value

    return compute


def is_sum(row: Value) -> bool:
    """Whether a row adds up the values of a list."""
    return row.each is not None and not row.collect


def has_arithmetic(row: Value) -> bool:
    """Whether a row computes with what it reads."""
    return bool(row.times or row.divide or row.plus or row.minus)


def absent_of(row: Value) -> set[tuple[bool, Any]]:
    """The values that mean: not set, told apart from numbers that equal true and false."""
    return {(isinstance(v, bool), v) for v in row.absent if isinstance(v, (str, int, float, bool))}


def operand_of(row: Value, *, outward: bool) -> Convert:
    """Operands of sums: exact numbers, money in the main unit (which is what a canonical document holds)."""
    if row.as_ == "money":
        unit = "major" if outward else row.unit
        return lambda value, run: functions.to_amount(value, run.currency, unit)
    return lambda value, run: functions.to_decimal(value)


def finisher_of(row: Value, *, outward: bool) -> Convert:
    """The result of a sum: money held against its currency, whole numbers whole, and what the wire wants."""
    if row.as_ == "money":
        unit = row.unit
        if outward:
            return lambda value, run: functions.money_out(Decimal(value), run.currency, unit)
        return lambda value, run: functions.fitted(Decimal(value), run.currency)
    if row.as_ == "int":
        return lambda value, run: functions.to_int(Decimal(value))
    if row.as_ == "number":
        return lambda value, run: functions.number_out(Decimal(value))
    if outward:
        return lambda value, run: f"{Decimal(value):f}"
    return lambda value, run: Decimal(value)


def conversion_of(row: Value, *, outward: bool) -> Convert:
    """From a raw value (never null) to what the document holds."""
    if row.table is not None:
        return _lookup(row)
    if row.as_ == "money":
        unit = row.unit
        if outward:
            return lambda value, run: functions.money_out(value, run.currency, unit)
        return lambda value, run: functions.to_money(value, run.currency, unit)
    if row.as_ == "time":
        zone, pattern = row.zone, row.pattern
        if outward:
            return lambda value, run: functions.time_out(value, pattern, zone)
        return lambda value, run: functions.to_time(value, zone, pattern)
    if row.as_ == "words":
        separator = row.separator
        return lambda value, run: functions.to_words(value, separator)
    if row.as_ == "decimal" and outward:
        return lambda value, run: None if (n := functions.to_decimal(value)) is None else f"{n:f}"
    simple: Callable[[Any], Any] = _SIMPLE.get(row.as_, functions.to_raw)
    return lambda value, run: simple(value)


_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "text": functions.to_text,
    "int": functions.to_int,
    "bool": functions.to_bool,
    "decimal": functions.to_decimal,
    "lines": functions.to_lines,
    "number": functions.number_out,
    "raw": functions.to_raw,
    "phone": texts.to_phone,
    "province": texts.to_province,
    "city": texts.to_city,
    "district": texts.to_district,
    "street": texts.to_street,
    "properties": texts.to_properties,
    "sha256": texts.to_sha256,
    "list": functions.to_raw,
}


def _lookup(row: Value) -> Convert:
    words = row.table or {}
    nothing = object()

    def look_up(value: Any, run: Run) -> Any:
        found = words.get(value if isinstance(value, str) else functions.as_word(value), nothing)
        if found is nothing:
            hint = f"Add the word to [tables.{row.table_name}] in {row.table_file}, then replay."
            expected = f"a word of table {row.table_name}: {', '.join(list(words)[:12])}{' ...' * (len(words) > 12)}"
            raise Unfit(value, expected, hint, "mapping.unknown_word")
        return found

    return look_up


def is_absent(value: Any, absent: set[tuple[bool, Any]]) -> bool:
    """Whether a value is one of them."""
    return isinstance(value, (str, int, float)) and (isinstance(value, bool), value) in absent


def items_of(value: Any) -> list[Any] | None:
    """A list to loop over; a single object is a list of one, as XML gives it."""
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [value]
    raise Unfit(value, "a list", "Point `each` at the list itself.")
