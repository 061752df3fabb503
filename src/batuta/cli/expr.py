"""`batuta expr`."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from batuta.cli.failure import CommandError, read_file
from batuta.cli.output import complain, say
from batuta.expr import (
    Context,
    ExpressionError,
    LazyVars,
    NullHost,
    References,
    compile_template,
    render_value,
)
from batuta.expr.temporal import Instant
from batuta.flow.yaml import YamlError, read_yaml
from batuta.model import codec
from batuta.operations.system import SystemClock

_SHOWN = 200
"""Characters of a value that an explanation shows."""


def evaluate(
    template: str,
    *,
    context: Annotated[Path | None, Parameter(name=["--context"])] = None,
    typed: Annotated[bool, Parameter(negative="")] = False,
    explain: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Evaluate a template over the variables of a file.

    Parameters
    ----------
    template
        The text to render, such as '{{ inputs.day | date("yyyy") }}'.
    context
        YAML or JSON file with the variables.
    typed
        Print the value as JSON, with its type.
    explain
        Print what the template reads, then the result.
    """
    variables = _variables(context)
    seen = dict(variables)
    scope = Context(seen, NullHost(now=Instant.of_micros(SystemClock().now())))
    if isinstance(variables.get("vars"), dict):
        seen["vars"] = LazyVars(variables["vars"], lambda raw: render_value(raw, scope))
    try:
        compiled = compile_template(template)
        if explain:
            _explain(compiled.references, variables)
        result = compiled.render_typed(scope) if typed else compiled.render(scope)
    except ExpressionError as error:
        complain(f"Error: {error}")
        return 1
    say(codec.encode_text(result) if typed else str(result))
    return 0


def _variables(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found = read_yaml(read_file(file)).value
    except YamlError as error:
        raise CommandError(f"{file}: {error}") from None
    if not isinstance(found, dict):
        raise CommandError(f"{file}: the variables are a map by name")
    return found


def _explain(references: References, variables: dict[str, Any]) -> None:
    for name in sorted(references.variables):
        value = codec.encode_text(variables[name]) if name in variables else "missing"
        say(f"reads {name}: {value[:_SHOWN]}")
    for task in sorted(references.outputs):
        say(f"reads the outputs of {task}")
    for function in sorted(references.functions):
        say(f"calls {function}()")
    if references.dynamic:
        say("may read any variable: a name is computed")
