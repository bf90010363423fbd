"""Rows that give one value, as Python: read, take absent values out, convert, add up, fall back.

The same as hub.mapping.values does with closures, for data that gives no cause for complaint; anything else raises,
and the record is handed over to the plain interpreter.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from canonical.money import minor_unit
from hub.mapping import functions, quick
from hub.mapping.codegen import Emitter
from hub.mapping.expression import Expression
from hub.mapping.lines import Uncompiled
from hub.mapping.rows import Value
from hub.mapping.texts import from_chinese
from hub.mapping.values import absent_of, conversion_of, has_arithmetic, is_absent, is_sum, items_of

Put = Callable[[str], None]
"""Writes what becomes of a value: given the variable or constant that holds it."""
Nothing = Callable[[], None] | None
"""Writes what is to happen where there is no value; None where nothing is."""
_MOST = 10**15
_RAW = frozenset((str, int, float, bool, list, dict))


class Handover(Exception):
    """The record needs the interpreter: something is wrong with it, or is none of the usual cases."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where rows are read: the variables of the item at hand and of the item one loop up.

    `seen`: for rows that must not give a value twice in a list, the variable that counts. `loose`: within a loop or a
    condition, so that rows that wait have to remember where they stand.
    """

    item: str
    parent: str
    seen: dict[str, str] = field(default_factory=dict)
    loose: bool = False


class ValueWriter:
    """Writes value rows. `currency` is a currency's code, or "" where each record says which."""

    def __init__(self, emitter: Emitter, *, outward: bool, currency: str) -> None:
        self.e = emitter
        self.outward = outward
        self.currency = currency
        self.prologue: dict[str, str] = {}
        """What must stand before the rows: variable -> code."""
        for one in (
            functions,
            Decimal,
            Handover,
            is_absent,
            items_of,
            quick.integer,
            quick.number,
            quick.text,
            quick.whole,
            from_chinese,
        ):
            emitter.constants[one.__name__.rpartition(".")[2]] = one
        emitter.constants["PLAIN"] = quick.PLAIN

    def scope(self, source: str, spot: Spot) -> str:
        """The variable that holds what a row reads from."""
        if source == "document":
            # a name of its own for each use: what was read of the document before may have changed
            return self.e.bind("document", "dict")
        return {"root": "root", "parent": spot.parent}.get(source, spot.item)

    def read(self, expression: Expression, scope: str, *, heavy: bool) -> str:
        """The variable or constant that holds an expression's value."""
        self.e.heavy = heavy or not expression.weight.light
        return self.e.value(expression.tree, scope)

    def holds(self, expression: Expression, scope: str, *, heavy: bool) -> str:
        """A condition, for the next line."""
        self.e.heavy = heavy or not expression.weight.light
        return self.e.condition(expression.tree, scope)

    def value(self, row: Value, spot: Spot, put: Put, nothing: Nothing) -> None:
        """Write a row."""
        if row.path is None:
            if row.constant is not None:
                put(self.e.constant(row.constant))
            elif nothing:
                nothing()
            return
        put = self._numbered(row, spot, put) if row.distinct else put
        nothing = self.fallback(row.default, put, nothing, required=row.required)
        scope = self.scope(row.source, spot)
        if row.each is not None:
            self._over(row, scope, put, nothing)
        elif has_arithmetic(row):
            self._maybe(self._computed(row, scope), put, nothing)
        else:
            self._plain(row, scope, put, nothing)

    def fallback(self, default: Any, put: Put, nothing: Nothing, *, required: bool) -> Nothing:
        """What stands in for a value that is not there: the default, a complaint, or what happens further out."""
        if default is not None:
            return lambda: put(self.e.constant(default))
        return (lambda: self.e.say("raise Handover")) if required else nothing

    # ------------------------------------------------------------ one value

    def _plain(self, row: Value, scope: str, put: Put, nothing: Nothing) -> None:
        assert row.path is not None  # noqa: S101  # constants never come here
        raw = self.read(row.path, scope, heavy=_is_heavy(row))
        if raw == "None":
            if nothing:
                nothing()
            return
        if not raw.isidentifier():
            raw = self.e.bind(raw)
        if row.chinese:
            raw, row = self._from_chinese(row, raw), replace(row, absent=[])
        if row.as_ == "money" and row.table is None and not self.outward:
            value = self._operand(row, raw, self._there(row, raw))
            self._maybe(value, lambda code: put(self._fitted(code)), nothing)
            return
        with self.e.block(f"if {self._there(row, raw)}:"):
            code, sure = self._converted(row, raw)
            if sure:
                put(code)
            else:
                self._maybe(self.e.bind(code), put, nothing)
        if nothing:
            with self.e.block("else:"):
                nothing()

    def _maybe(self, name: str, put: Put, nothing: Nothing) -> None:
        with self.e.block(f"if {name} is not None:"):
            put(name)
        if nothing:
            with self.e.block("else:"):
                nothing()

    def _from_chinese(self, row: Value, raw: str) -> str:
        """The raw value as a plain number; what means "not set" is taken out before."""
        return self.e.bind(f"from_chinese({raw}) if {self._there(row, raw)} else None")

    def _there(self, row: Value, raw: str) -> str:
        """The condition that a raw value is there at all."""
        if not row.absent:
            return f"{raw} is not None"
        texts = [value for value in row.absent if isinstance(value, str)]
        if len(texts) == len(row.absent):
            known = f"!= {texts[0]!r}" if len(texts) == 1 else f"not in {tuple(texts)!r}"
            return f"{raw} is not None and {raw} {known}"
        text = f"{raw} not in {tuple(texts)!r}" if texts else "True"
        other = f"not is_absent({raw}, {self.e.constant(absent_of(row))})"
        return f"{raw} is not None and ({text} if {raw}.__class__ is str else {other})"

    def _numbered(self, row: Value, spot: Spot, put: Put) -> Put:
        if row.label not in spot.seen:
            raise Uncompiled
        seen = spot.seen[row.label]

        def write(code: str) -> None:
            name, count = self.e.name(), self.e.name()
            self.e.say(f"{name} = {code}")
            self.e.say(f"{count} = {seen}[str({name})] = {seen}.get(str({name}), 0) + 1")
            self.e.say(f"if {count} > 1: {name} = f'{{{name}}}-{{{count}}}'")
            put(name)

        return write

    def _converted(self, row: Value, raw: str) -> tuple[str, bool]:
        """The code of a converted value, and whether it is sure not to be null."""
        if row.table is not None:
            return self._looked_up(row, raw), True
        if row.as_ == "text":
            sure = self.e.kind(raw) == "text"
            return raw if sure else f"{raw} if {raw}.__class__ is str else text({raw})", True
        if row.as_ == "bool":
            return (raw, True) if self.e.kind(raw) == "bool" else (f"functions.to_bool({raw})", False)
        if row.as_ in ("raw", "list"):
            return f"{raw} if {raw}.__class__ in {self.e.constant(_RAW)} else functions.to_raw({raw})", True
        if row.as_ == "int":
            return f"{raw} if {raw}.__class__ is int and {-_MOST} < {raw} < {_MOST} else integer({raw})", False
        if not self.outward and row.as_ == "time" and not row.pattern:
            return f"{self.e.constant(quick.time(row.zone))}({raw})", False
        if not self.outward and row.as_ == "decimal":
            return f"number({raw})", False
        convert = self.e.constant(conversion_of(row, outward=self.outward))
        return f"{convert}({raw}, {self._teller()})", False

    def _looked_up(self, row: Value, raw: str) -> str:
        words = self.e.constant(row.table)
        found = self.e.bind(f"{words}.get({raw} if {raw}.__class__ is str else functions.as_word({raw}), ...)")
        self.e.say(f"if {found} is ...: raise Handover")
        return found

    # ------------------------------------------------------------ numbers

    def _over(self, row: Value, scope: str, put: Put, nothing: Nothing) -> None:
        """A row over the items of a list: their sum, or all of them."""
        assert row.each is not None  # noqa: S101  # the caller saw it
        heavy, e = _is_heavy(row), self.e
        result, items = e.bind("None"), self.items(self.read(row.each, scope, heavy=heavy))
        with e.block(f"if {items} is not None:"):
            e.charge(f"len({items})")
            e.say(f"{result} = {'[]' if row.collect else '0' if _stays_whole(row) else 'Decimal()'}")
            item = e.name("i")
            with e.block(f"for {item} in {items}:", loop=True):
                if row.where is not None:
                    with e.block(f"if {self.holds(row.where, item, heavy=heavy)}:"):
                        self._gather(row, item, result)
                else:
                    self._gather(row, item, result)
            if not row.collect:
                e.say(f"{result} = {self._finished(row, result)}")
        self._maybe(result, put, nothing)

    def items(self, listed: str) -> str:
        """A variable with a list to go over, or null."""
        if self.e.kind(listed) == "list":
            return listed
        return self.e.bind(f"{listed} if {listed}.__class__ is list else items_of({listed})")

    def _gather(self, row: Value, item: str, result: str) -> None:
        if not is_sum(row) and not has_arithmetic(row):
            self._plain(row, item, lambda code: self.e.say(f"{result}.append({code})"), None)
            return
        value = self._computed(row, item)
        add = f"{result} += {value}" if is_sum(row) else f"{result}.append({value})"
        self.e.say(f"if {value} is not None: {add}")

    def _computed(self, row: Value, scope: str) -> str:
        """A variable with value * times / divide + plus - minus, or null; converted unless it is to be added up."""
        assert row.path is not None  # noqa: S101  # constants never come here
        heavy, e = _is_heavy(row), self.e
        raw = self.read(row.path, scope, heavy=heavy)
        raw = raw if raw.isidentifier() and raw != "None" else e.bind(raw)
        if row.chinese:
            raw, row = self._from_chinese(row, raw), replace(row, absent=[])
        read = self._operand(row, raw, self._there(row, raw))
        if not has_arithmetic(row):
            return read
        value = e.bind(read)
        with e.block(f"if {value} is not None:"):
            factors = [
                (sign, self.read(x, scope, heavy=heavy)) for sign, x in (("*", row.times), ("/", row.divide)) if x
            ]
            summands = [
                (s, self.read(x, scope, heavy=heavy)) for s, xs in (("+", row.plus), ("-", row.minus)) for x in xs
            ]
            for sign, raw in factors:
                self._multiplied(row, value, sign, raw)
            for sign, raw in summands:
                name = self._operand(row, self._variable(raw), f"{raw} is not None")
                self.e.say(f"if {name} is not None and {value} is not None: {value} {sign}= {name}")
            if not is_sum(row):
                self.e.say(f"if {value} is not None: {value} = {self._finished(row, value)}")
        return value

    def _variable(self, code: str) -> str:
        return code if code.isidentifier() else self.e.bind(code)

    def _multiplied(self, row: Value, value: str, sign: str, raw: str) -> None:
        raw = self._variable(raw)
        whole = f"{raw}.__class__ is int and {-_MOST} < {raw} < {_MOST}"
        factor = self.e.once(raw, f"{raw} if {raw} is None or {whole} else number({raw})")
        with self.e.block(f"if {factor} is None or {value} is None:"):
            self.e.say(f"{value} = None")
        if sign == "/":
            with self.e.block(f"elif not {factor}:"):
                self.e.say("raise Handover")
        with self.e.block("else:"):
            code = f"{value} {sign} {factor}"
            money = sign == "/" and row.as_ == "money"
            self.e.say(f"{value} = functions.rounded({code}, {self._code()})" if money else f"{value} = {code}")

    def _operand(self, row: Value, raw: str, there: str) -> str:
        """A variable with an exact number (of money: in the main unit), or null."""
        code = f"number({raw})"
        if _stays_whole(row):
            code = f"{raw} if {raw}.__class__ is int and {-_MOST} < {raw} < {_MOST} else {code}"
        if row.as_ == "money":
            unit = "major" if self.outward else row.unit
            code = f"{self._of_currency('amount', quick.amount, unit)}({raw})"
            if not functions.UNITS[unit]:
                code = f"Decimal({raw}) if {raw}.__class__ is str and PLAIN({raw}) else {code}"
        return self.e.once(raw, f"({code}) if {there} else None")

    def _finished(self, row: Value, value: str) -> str:
        if row.as_ == "money":
            if self.outward:
                return f"functions.money_out({value}, {self._code()}, {row.unit!r})"
            return self._fitted(value)
        if row.as_ == "int":
            return f"whole({value})"
        if row.as_ == "number":
            return f"functions.number_out({value})"
        return f"f'{{{value}:f}}'" if self.outward else value

    def _fitted(self, value: str) -> str:
        """Money held against the digits of its currency."""
        unit = self._of_currency("cent", minor_unit)
        return f"{value} if {value}.same_quantum({unit}) else functions.fitted({value}, {self._code()})"

    # ------------------------------------------------------------ the currency

    def _code(self) -> str:
        return repr(self.currency) if self.currency else "currency"

    def _of_currency(self, name: str, make: Callable[..., Any], *arguments: str) -> str:
        """The name of what is made for the document's currency: now where the mapping says which, else by the code."""
        if self.currency:
            return self.e.constant(make(self.currency, *arguments))
        variable = "_".join((name, *arguments))
        self.prologue[variable] = f"{self.e.call(make)}({', '.join(['currency', *map(repr, arguments)])})"
        return variable

    def _teller(self) -> str:
        """What a conversion takes beside the value: of a Run, it reads the currency."""
        return self._of_currency("teller", Teller)


@dataclass(slots=True)
class Teller:
    """Tells a conversion the document's currency."""

    currency: str


def _stays_whole(row: Value) -> bool:
    """Whether whole numbers can be added up as they are: multiplied, they could become longer than a decimal holds."""
    return row.as_ == "int" and row.times is None and row.divide is None


def _is_heavy(row: Value) -> bool:
    return row.source != "item" and "[]" in row.label
