"""The text of a template: tasks without a flow around them (01 §6.14). It is read like a flow that has nothing else."""

from collections.abc import Mapping, Sequence

import msgspec

from batuta.flow.defaults import Default
from batuta.flow.read import Reading, read_flow
from batuta.flow.rules import Offers
from batuta.model.problem import Problem
from batuta.sdk.registry import Registry

PROPERTIES = frozenset({"id", "namespace", "description", "tasks", "errors", "deleted", "tenantId"})


def read_template(
    source: str, registry: Registry, *, defaults: Sequence[Default] = (), offers: Offers
) -> Reading:
    """Read and check a YAML or JSON text; `flow` holds the tasks and `errors` of the template."""
    reading = read_flow(source, registry, defaults=defaults, offers=offers)
    value = reading.tree.value if reading.tree is not None else None
    unknown = (
        [name for name in value if name not in PROPERTIES] if isinstance(value, Mapping) else []
    )
    if not unknown:
        return reading
    problems = tuple(
        Problem(
            code="unknown-property",
            message=f"Unrecognized field `{name}`: a template has {', '.join(sorted(PROPERTIES))}",
            path=str(name),
        )
        for name in unknown
    )
    return msgspec.structs.replace(reading, flow=None, problems=(*reading.problems, *problems))
