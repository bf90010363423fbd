"""The `jmespath` library's own interpreter, charged for what it goes over. What is compiled is held against it."""

from typing import Any

from jmespath.visitor import Options, TreeInterpreter

from hub.mapping.budget import Budget, Tree
from hub.mapping.runtime import FUNCTIONS


class Walker(TreeInterpreter):
    """Evaluates syntax trees within a budget: one for each search, or for all searches of a message."""

    def __init__(self, steps: int) -> None:
        super().__init__(Options(custom_functions=FUNCTIONS))
        self.budget = Budget(steps)
        self._heavy = False

    def evaluate(self, tree: Tree, data: Any, *, heavy: bool) -> Any:
        """The value of an expression. `heavy`: charged for the size of what is made, too."""
        self._heavy = heavy
        return self.visit(tree, data)  # type: ignore[arg-type]  # the stubs call the tree a TypedDict

    def visit_projection(self, node: Any, value: Any) -> Any:
        return super().visit_projection(self._counted(node), value)

    def visit_filter_projection(self, node: Any, value: Any) -> Any:
        return super().visit_filter_projection(self._counted(node), value)

    def visit_value_projection(self, node: Any, value: Any) -> Any:
        return super().visit_value_projection(self._counted(node), value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        return self._made(super().visit_flatten(self._counted(node), value))

    def visit_counted(self, node: Any, value: Any) -> Any:
        """What is gone over next: not a part of the language, put around the base of a projection."""
        base = self.visit(node["children"][0], value)
        if isinstance(base, (list, dict)):
            self.budget.charge(len(base))
        return base

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        return self._made(super().visit_multi_select_list(node, value))

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        return self._made(super().visit_multi_select_dict(node, value))

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        return self._made(super().visit_function_expression(node, value))

    def _made(self, value: Any) -> Any:
        return self.budget.charge_for(value) if self._heavy else value

    def _counted(self, node: Tree) -> Any:
        base, *rest = node["children"]
        return {**node, "children": [{"type": "counted", "children": [base]}, *rest]}
