"""JMESPath as Python statements, written from the syntax tree alone: no text of a person ever becomes code.

Names, keys and literals of an expression go into the code as constants (`Emitter.constant`) or as the repr of a text
or number. Values live in local variables, each computed once: what two expressions of a file have in common (a path,
a filtered list) is computed where it is first needed and used again wherever that place is sure to have been passed.
"""

from hub.mapping import runtime
from hub.mapping.budget import Tree
from hub.mapping.lines import PLAIN, Lines

CHAINED = (
    "subexpression",
    "pipe",
    "index_expression",
    "projection",
    "filter_projection",
    "value_projection",
    "flatten",
)
"""Parts of an expression of which the first child alone is evaluated on the same value."""
_CHEAP = 2
"""Fields that are read before they are known to be needed."""


class Emitter(Lines):
    """Writes the body of one function. `heavy`: charge for the size of what is made (budget.Weight)."""

    def __init__(self, hoisted: frozenset[tuple[str, ...]] = frozenset()) -> None:
        super().__init__()
        self.heavy = False
        self.charges = False
        """Whether the code needs a budget."""
        self.gives_up = ""
        """What is raised where a list holds anything but objects though their fields are read; "": nothing."""
        self.reads: dict[tuple[str, ...], int] = {}
        """How often each path of fields was read anew: what is read more than once is worth hoisting."""
        self._hoisted = sorted(hoisted, key=lambda path: (len(path), path))
        self._inner = 0
        self._cheap: set[str] = set()
        self._paths: dict[str, tuple[str, ...]] = {}
        self._keys: dict[int, str] = {}

    def is_dict(self, name: str, path: tuple[str, ...]) -> None:
        """A variable is sure to hold an object: `path` is what it is called from run to run. Hoists its fields."""
        self._kinds[name] = "dict"
        self._paths[name] = path
        for wanted in self._hoisted:
            if len(wanted) > len(path) and wanted[: len(path)] == path:
                at = name
                for field in wanted[len(path) :]:
                    at = self._field(field, at)

    def kind(self, name: str) -> str:
        """What a variable is sure to hold, "" if that is unknown."""
        return self._kinds.get(name, "")

    # ------------------------------------------------------------ values

    def value(self, node: Tree, scope: str) -> str:
        """Write what computes an expression on a variable; the variable (or constant) that holds the result."""
        kind = node["type"]
        if kind in ("current", "identity"):
            return scope
        if kind == "literal":
            return self.constant(node["value"])
        if kind in ("subexpression", "pipe", "index_expression"):
            for child in node["children"]:
                scope = self.value(child, self._variable(scope))
            return scope
        key = (scope, self._key(node))
        if key not in self._known:
            self._known[key] = getattr(self, f"_{kind}")(node, scope)
        return self._known[key]

    def condition(self, node: Tree, scope: str) -> str:
        """The same as a Python condition with JMESPath's truth. It is to be used once, at the next line."""
        kind = node["type"]
        if kind == "comparator":
            return self._comparison(node, scope)[0]
        if kind == "not_expression":
            return f"not ({self.condition(node['children'][0], scope)})"
        if kind in ("and_expression", "or_expression") and (scope, self._key(node)) not in self._known:
            return self._both(node, scope)
        return self.truth(self._variable(self.value(node, scope)))

    def truth(self, name: str) -> str:
        """A Python condition for JMESPath's truth: 0 is true, empty texts, lists and objects are not."""
        if self.kind(name) in ("bool", "list", "text"):
            return name
        return f"({name} or {name} is not None and {name} == 0 and {name} is not False)"

    def _both(self, node: Tree, scope: str) -> str:
        first, second = node["children"]
        word = "and" if node["type"] == "and_expression" else "or"
        left = self.condition(first, scope)
        lines, self.lines, known = self.lines, [], self._known.copy()
        self._deeper()
        right = self.condition(second, scope)
        self._indent -= 1
        inner, self.lines = self.lines, lines
        if len(inner) <= _CHEAP and self._cheap.issuperset(line.strip() for line in inner):
            # reading a field costs less than a branch around it
            self.lines += [line[1:] for line in inner]
            return f"({left} {word} {right})"
        self._known = known
        held = self.bind(left, "bool")
        self.say(f"if {held}:" if word == "and" else f"if not {held}:")
        self.lines += inner
        self.say(f" {held} = {right}")
        return held

    def _variable(self, code: str) -> str:
        return code if code.isidentifier() and code not in ("None", "True", "False") else self.bind(code)

    def _key(self, node: Tree) -> str:
        if id(node) not in self._keys:
            inner = ",".join(self._key(child) if isinstance(child, dict) else repr(child) for child in node["children"])
            value = node.get("value")
            own = repr(value) if isinstance(value, PLAIN) else f"{type(value).__name__}{id(value)}"
            self._keys[id(node)] = f"{node['type']}({own}:{inner})" if "value" in node else f"{node['type']}({inner})"
        return self._keys[id(node)]

    def _field(self, node: Tree | str, scope: str) -> str:
        if isinstance(node, str):
            key = (scope, f"field({node!r}:)")
            if key not in self._known:
                self._known[key] = self._get(node, scope)
            return self._known[key]
        return self._get(node["value"], scope)

    def _get(self, field: str, scope: str) -> str:
        get = f"{scope}.get({self.constant(field)})"
        if self.kind(scope) == "dict":
            name = self.bind(get)
            self._cheap.add(self.lines[-1].strip())
        elif self.gives_up:
            # what is neither an object nor empty has no get(): that gives up, too
            name = self.bind(f"{get} if {scope} else None")
        else:
            name = self.bind(f"{get} if isinstance({scope}, dict) else None")
        if scope in self._paths:
            path = self._paths[name] = (*self._paths[scope], field)
            self.reads[path] = self.reads.get(path, 0) + 1
        return name

    def _index(self, node: Tree, scope: str) -> str:
        at = node["value"]
        enough = f"len({scope}) > {at}" if at >= 0 else f"len({scope}) >= {-at}"
        return self.bind(f"{scope}[{at}] if isinstance({scope}, list) and {enough} else None")

    def _slice(self, node: Tree, scope: str) -> str:
        start, stop, step = ("" if part is None else part for part in node["children"])
        return self.bind(f"{scope}[{start}:{stop}:{step}] if isinstance({scope}, list) else None", "list")

    def _or_expression(self, node: Tree, scope: str) -> str:
        return self._either(node, scope, "if not {}:")

    def _and_expression(self, node: Tree, scope: str) -> str:
        return self._either(node, scope, "if {}:")

    def _either(self, node: Tree, scope: str, head: str) -> str:
        first, *others = _operands(node, node["type"])
        left = self.value(first, scope)
        name, kinds = self.bind(left), {self.kind(left)}
        self._otherwise(name, others, scope, head, kinds)
        if len(kinds) == 1:
            self._kinds[name] = kinds.pop()
        return name

    def _otherwise(self, name: str, others: list[Tree], scope: str, head: str, kinds: set[str]) -> None:
        if not others:
            return
        with self.block(head.format(self.truth(name))):
            value = self.value(others[0], scope)
            self.say(f"{name} = {value}")
            kinds.add(self.kind(value))
            self._otherwise(name, others[1:], scope, head, kinds)

    def _not_expression(self, node: Tree, scope: str) -> str:
        return self.bind(f"not ({self.condition(node['children'][0], scope)})", "bool")

    def _comparator(self, node: Tree, scope: str) -> str:
        code, kind = self._comparison(node, scope)
        return self.bind(code, kind)

    def _comparison(self, node: Tree, scope: str) -> tuple[str, str]:
        first, second = node["children"]
        operator = node["value"]
        left, right = self.value(first, scope), self.value(second, scope)
        if operator not in ("eq", "ne"):
            return f"{self.call(runtime.ORDERINGS[operator])}({left}, {right})", "bool"
        if second["type"] != "literal" and first["type"] == "literal":
            first, second, left, right = second, first, right, left
        same = self._equality(second, left, right)
        return (same if operator == "eq" else f"not {same}"), "bool"

    def _equality(self, other: Tree, left: str, right: str) -> str:
        """Texts, null, true, false and most numbers need no thought about 0 and 1; the rest does."""
        value = other["value"] if other["type"] == "literal" else ...
        if value is None or isinstance(value, bool):
            return f"({self._variable(left)} is {right})"
        if isinstance(value, str) or (isinstance(value, (int, float)) and value not in (0, 1)):
            return f"({left} == {right})"
        left, right = self._variable(left), self._variable(right)
        return f"({left} == {right} and ({left}.__class__ is bool) is ({right}.__class__ is bool))"

    # ------------------------------------------------------------ lists

    def charge(self, size: str) -> None:
        """Take steps from the budget. What is gone over once, not within a loop, is a part of the record: the length
        of the expressions bounds how often."""
        if self._blocks or self._inner or self.heavy:
            self.charges = True
            self.say(f"{self._left()} -= {size}")
            self.say(f"if {self._left()} < 0: budget.overdrawn()")

    def _left(self) -> str:
        """What the function has left; in a function inside it, what is left of the whole."""
        return "budget.left" if self._inner else "left"

    def _projection(self, node: Tree, scope: str) -> str:
        return self._loop(node, scope, "{}")

    def _value_projection(self, node: Tree, scope: str) -> str:
        return self._loop(node, scope, "{}.values()", "dict")

    def _filter_projection(self, node: Tree, scope: str) -> str:
        return self._loop(node, scope, "{}")

    def _loop(self, node: Tree, scope: str, over: str, kind: str = "list") -> str:
        base, *inner = node["children"]
        flat = kind == "list" and base["type"] == "flatten"
        source = self._variable(self.value(base["children"][0] if flat else base, scope))
        result = self.bind("None", "list")
        with self.block(f"if {self._is_list(source) if kind == 'list' else f'isinstance({source}, dict)'}:"):
            self.charge(f"len({source})")
            self.say(f"{result} = []")
            item = self.name("i")
            with self.block(f"for {item} in {over.format(source)}:", loop=True):
                if flat:
                    self._each_of(inner, item, result)
                else:
                    self._each(inner, item, result)
        return result

    def _each_of(self, inner: list[Tree], item: str, result: str) -> None:
        """An item of a list that is flattened on the way: itself, or each of its own items."""
        self.charges = True
        self.say(f"if {item}.__class__ is list: {self._left()} -= len({item})")
        one = self.name("i")
        with self.block(f"for {one} in ({item} if isinstance({item}, list) else ({item},)):", loop=True):
            self._each(inner, one, result)

    def _each(self, inner: list[Tree], item: str, result: str) -> None:
        if self.gives_up and any(map(_reads_fields, inner)):
            self.say(f"if {item}.__class__ is not dict: raise {self.gives_up}")
            self._kinds[item] = "dict"
        if len(inner) == 2:
            with self.block(f"if {self.condition(inner[1], item)}:"):
                self._gather(inner[0], item, result)
        else:
            self._gather(inner[0], item, result)

    def _is_list(self, name: str) -> str:
        return f"{name} is not None" if self.kind(name) == "list" else f"isinstance({name}, list)"

    def _gather(self, node: Tree, item: str, result: str) -> None:
        value = self.value(node, item)
        if value == "None":
            return
        if not value.isidentifier() or self.kind(value) in ("dict", "text"):
            self.say(f"{result}.append({value})")
        else:
            self.say(f"if {value} is not None: {result}.append({value})")

    def _flatten(self, node: Tree, scope: str) -> str:
        base = self._variable(self.value(node["children"][0], scope))
        result = self.bind("None", "list")
        with self.block(f"if {self._is_list(base)}:"):
            self.charge(f"len({base})")
            self.say(f"{result} = []")
            item = self.name("i")
            with self.block(f"for {item} in {base}:", loop=True):
                self.say(f"if isinstance({item}, list): {result}.extend({item})")
                self.say(f"else: {result}.append({item})")
            self._weigh(result)
        return result

    def _multi_select_list(self, node: Tree, scope: str) -> str:
        return self._select(node, scope, "[{}]", "{}", "list")

    def _multi_select_dict(self, node: Tree, scope: str) -> str:
        return self._select(node, scope, "{{{}}}", "{}: {}", "dict")

    def _select(self, node: Tree, scope: str, whole: str, part: str, kind: str) -> str:
        if self.kind(scope) == "dict":
            result = self.bind(self._parts(node, scope, whole, part), kind)
            self._weigh(result)
            return result
        result = self.bind("None")
        with self.block(f"if {scope} is not None:"):
            self.say(f"{result} = {self._parts(node, scope, whole, part)}")
            self._weigh(result)
        return result

    def _parts(self, node: Tree, scope: str, whole: str, part: str) -> str:
        texts = []
        for child in node["children"]:
            if child["type"] == "key_val_pair":
                texts.append(part.format(self.constant(child["value"]), self.value(child["children"][0], scope)))
            else:
                texts.append(self.value(child, scope))
        return whole.format(", ".join(texts))

    def _weigh(self, name: str) -> None:
        if self.heavy:
            self.charges = True
            self.say(f"budget.charge_for({name})")

    # ------------------------------------------------------------ functions

    def _function_expression(self, node: Tree, scope: str) -> str:
        name, children = node["value"], node["children"]
        if name == "contains" and len(children) == 2 and (words := self._words(children[0], scope)):
            return self._among(words, self._variable(self.value(children[1], scope)))
        arguments = [self.value(child, scope) for child in children]
        quick, number = runtime.QUICK.get(name, (None, 0))
        if quick is None or number not in (len(arguments), -1):
            result = self.bind(f"{self.call(runtime.call)}({', '.join([repr(name), *arguments])})")
        elif name == "to_string" and arguments[0].isidentifier():
            [text] = arguments
            result = self.bind(f"{text} if {text}.__class__ is str else {self.call(quick)}({text})", "text")
        elif name == "not_null" and 1 < len(arguments) < 5:
            result = self.bind(self._first_there([self._variable(argument) for argument in arguments]))
        elif name == "length" and self.kind(arguments[0]) == "text":
            result = self.bind(f"len({arguments[0]})")
        elif name == "contains" and self.kind(arguments[0]) == "text" and _is_text(children[1]):
            result = self.bind(f"{arguments[1]} in {arguments[0]}", "bool")
        else:
            kind = "bool" if name in ("contains", "starts_with", "ends_with") else ""
            result = self.bind(f"{self.call(quick)}({', '.join(arguments)})", kind)
        self._weigh(result)
        return result

    def _first_there(self, names: list[str]) -> str:
        *others, last = names
        return " ".join(f"{name} if {name} is not None else" for name in others) + f" {last}"

    def _words(self, node: Tree, scope: str) -> list[str]:
        """The texts of a list that is written out, where the scope is sure not to be null."""
        if node["type"] == "literal":
            words = node["value"] if isinstance(node["value"], list) else []
        elif node["type"] == "multi_select_list" and self.kind(scope) == "dict":
            words = [child["value"] if child["type"] == "literal" else None for child in node["children"]]
        else:
            return []
        return words if all(isinstance(word, str) for word in words) else []

    def _among(self, words: list[str], value: str) -> str:
        known = self.constant(frozenset(words))
        listed = f"[{', '.join(map(repr, words))}]"
        return self.bind(f"{value} in {known} if {value}.__class__ is str else {value} in {listed}", "bool")

    def _expref(self, node: Tree, scope: str) -> str:
        name, item = self.name("f"), self.name("i")
        self._inner += 1
        with self.block(f"def {name}({item}):"):
            self.say(f"return {self.value(node['children'][0], item)}")
        self._inner -= 1
        return self.bind(f"{self.call(runtime.reference)}({name})")


def _operands(node: Tree, kind: str) -> list[Tree]:
    """a || b || c is ((a || b) || c) in the tree, and means the same as a || (b || c)."""
    first, second = node["children"]
    return [*(_operands(first, kind) if first["type"] == kind else [first]), second]


def _is_text(node: Tree) -> bool:
    return node["type"] == "literal" and isinstance(node["value"], str)


def _reads_fields(node: Tree) -> bool:
    """Whether an expression reads a field of what it is evaluated on."""
    if node["type"] == "field":
        return True
    inner = [child for child in node["children"] if isinstance(child, dict)]
    return any(map(_reads_fields, inner[:1] if node["type"] in CHAINED else inner))
