"""Short sources for tests."""

from textwrap import dedent, indent

from batuta.flow.definition import Flow
from batuta.flow.read import Reading, read_flow
from batuta.sdk import Registry

REGISTRY = Registry(["batuta.plugins.core"])


def read(body: str, **options: object) -> Reading:
    """A flow `acme.data.sample` with this body."""
    source = f"id: sample\nnamespace: acme.data\n{dedent(body)}"
    return read_flow(source, REGISTRY, **options)  # type: ignore[arg-type]


def flow(body: str, **options: object) -> Flow:
    reading = read(body, **options)
    assert reading.flow is not None, reading.errors
    return reading.flow


def log(task_id: str = "hello", message: str = "hi") -> str:
    return f'- {{id: {task_id}, type: io.kestra.plugin.core.log.Log, message: "{message}"}}'


def tasks(*entries: str) -> str:
    return "tasks:\n" + indent("\n".join(dedent(each).strip() for each in entries), "  ") + "\n"
