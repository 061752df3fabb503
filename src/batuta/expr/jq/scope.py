"""What is visible at a place of a jq program."""

from collections.abc import Mapping

from batuta.expr.jq.syntax import Node
from batuta.expr.values import Value


class Function:
    """A definition, or an argument (a body without parameters in the caller's scope)."""

    __slots__ = ("body", "parameters", "scope")

    def __init__(self, parameters: tuple[str, ...], body: Node, scope: "Scope") -> None:
        self.parameters = parameters
        self.body = body
        self.scope = scope


class Scope:
    """Variables and functions that are visible at a place."""

    __slots__ = ("functions", "variables")

    def __init__(
        self, variables: Mapping[str, Value], functions: Mapping[tuple[str, int], Function]
    ) -> None:
        self.variables = variables
        self.functions = functions

    def with_variables(self, more: Mapping[str, Value]) -> "Scope":
        return Scope({**self.variables, **more}, self.functions)

    def with_function(self, definition: Node) -> "Scope":
        name, parameters, body = definition
        inner = Scope(self.variables, {})
        inner.functions = {
            **self.functions,
            (name, len(parameters)): Function(parameters, body, inner),
        }
        return inner
