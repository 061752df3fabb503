"""What a run needs, from a file and the options of the command."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from batuta.cli.caret import explain
from batuta.cli.failure import CommandError, read_file
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


def read_order(file: Path, inputs: Sequence[str], labels: Sequence[str]) -> Order:
    """Raises `CommandError`; what is wrong with the flow is told before."""
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
