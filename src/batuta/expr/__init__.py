"""The expression language: templates to text or values (02).

Text goes through `syntax/` (tokens, tree) and `compiler/` to closures over plain data; `registry` holds the
filters, functions and tests of `filters/`, `functions/` and `predicates`. Look-ups with effects are asked of a `Host`.
"""

from batuta.expr import filters, functions, predicates
from batuta.expr.context import Context, Layered, LazyVars
from batuta.expr.errors import (
    EvaluationError,
    ExpressionError,
    ExpressionSyntaxError,
    LimitError,
    MissingVariableError,
    RenderRecursionError,
    RuntimeFaultError,
)
from batuta.expr.host import NULL_HOST, Host, HttpRequest, NullHost, Settings
from batuta.expr.limits import Limits
from batuta.expr.syntax.explain import explain
from batuta.expr.syntax.references import References
from batuta.expr.template import Template, compile_template, render, render_typed, render_value
from batuta.expr.values import EnumName, Value

__all__ = [
    "NULL_HOST",
    "Context",
    "EnumName",
    "EvaluationError",
    "ExpressionError",
    "ExpressionSyntaxError",
    "Host",
    "HttpRequest",
    "Layered",
    "LazyVars",
    "LimitError",
    "Limits",
    "MissingVariableError",
    "NullHost",
    "References",
    "RenderRecursionError",
    "RuntimeFaultError",
    "Settings",
    "Template",
    "Value",
    "compile_template",
    "explain",
    "filters",
    "functions",
    "predicates",
    "render",
    "render_typed",
    "render_value",
]
