"""`batuta run`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from batuta.cli.caret import explain
from batuta.cli.failure import CommandError
from batuta.cli.output import complain
from batuta.flow.read import Reading, read_flow
from batuta.model.label import Label
from batuta.operations.flows.source import documents
from batuta.sdk.input import InputType
from batuta.sdk.registry import Registry


class LocalFile(msgspec.Struct, frozen=True):
    """A file that is the value of an input."""

    name: str
    content: bytes


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run: the flows of a file, the first of which is started."""

    sources: Sequence[str]
    namespace: str
    flow_id: str
    inputs: dict[str, str]
    files: dict[str, LocalFile]
    labels: tuple[Label, ...]


def run(
    file: Path,
    *,
    inputs: Annotated[list[str], Parameter(consume_multiple=True, negative="")] = [],  # noqa: B006 - cyclopts never changes it
    labels: Annotated[list[str], Parameter(consume_multiple=True, negative="")] = [],  # noqa: B006
    json: Annotated[bool, Parameter(negative="")] = False,
    server: str | None = None,
    user: Annotated[str | None, Parameter(env_var="BATUTA_USER")] = None,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
) -> int:
    """Run a flow from a file and show its progress; the exit code is 1 when the execution failed.

    Parameters
    ----------
    file
        The flow. In a file of several documents the first is run, the others are there for it.
    inputs
        Inputs as name=value; for a FILE input the value is the path of a file.
    labels
        Labels of the execution as key=value.
    json
        Print nothing but the execution at its end, as the API shows it.
    server
        Address of a server to run on; otherwise a private store is made and thrown away.
    user
        Name and password for the server, as name:password.
    config
        Configuration file for a run without a server.
    """
    order = _order(file, inputs, labels)
    if server is not None:
        from batuta.cli.run_remote import run_remote

        return run_remote(order, server, user=user, as_json=json)
    from batuta.cli.run_local import run_local

    return run_local(order, config=config, as_json=json)


def _order(file: Path, inputs: Sequence[str], labels: Sequence[str]) -> Order:
    sources = documents(read_file(file))
    if not sources:
        raise CommandError(f"{file} holds no flow")
    registry = Registry.installed()
    readings = [_read(file, source, registry) for source in sources]
    flow = readings[0].flow
    if flow is None:
        raise CommandError(f"{file} cannot be run")
    files = {each.id for each in flow.inputs or () if each.type is InputType.FILE}
    given = _pairs(inputs, "--inputs")
    return Order(
        sources=sources,
        namespace=flow.namespace,
        flow_id=flow.id,
        inputs={name: value for name, value in given.items() if name not in files},
        files={name: _file(name, value) for name, value in given.items() if name in files},
        labels=tuple(Label(key, value) for key, value in _pairs(labels, "--labels").items()),
    )


def _read(file: Path, source: str, registry: Registry) -> Reading:
    reading = read_flow(source, registry)
    if reading.flow is None:
        for line in explain(str(file), source, reading.errors):
            complain(line)
        raise CommandError(f"{file} has {len(reading.errors)} problem(s)")
    return reading


def read_file(file: Path) -> str:
    """Raises `CommandError`."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8 (byte {error.start})") from None


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CommandError(f"{option} {text}: expected name=value", code=2)
        pairs[name] = value
    return pairs


def _file(name: str, path: str) -> LocalFile:
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CommandError(f"The input {name}: {path} cannot be read: {error.strerror}") from None
    return LocalFile(file.name, content)
