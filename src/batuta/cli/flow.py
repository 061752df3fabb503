"""`batuta flow validate|plan|graph`: the stages of the way of a flow (09 §4), tried on files."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from batuta.cli.caret import explain
from batuta.cli.failure import CommandError, read_file
from batuta.cli.graph import draw
from batuta.cli.output import complain, say
from batuta.engine.plan import Plan
from batuta.flow.compile import compile_flow
from batuta.flow.read import Reading, read_flow
from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.operations.caller import MAIN_TENANT
from batuta.operations.flows.source import documents
from batuta.sdk.registry import Registry


def validate(*files: Path) -> int:
    """Say what is wrong with flows, with line and column; the exit code is 1 when a flow has errors.

    Parameters
    ----------
    files
        YAML files, each of one or several flows.
    """
    wrong = 0
    for file, source, reading in _readings(files):
        name = _name(reading)
        if reading.is_valid:
            say(f"{file}: {name} is valid")
        else:
            wrong += 1
        for line in explain(str(file), source, reading.problems):
            (say if reading.is_valid else complain)(line)
    if wrong:
        complain(f"{wrong} flow(s) with errors")
    return 1 if wrong else 0


def plan(*files: Path) -> int:
    """Print what the engine will work with, as JSON.

    Parameters
    ----------
    files
        YAML files, each of one or several flows.
    """
    for compiled in _plans(files):
        say(msgspec.json.format(codec.encode(compiled), indent=2).decode())
    return 0


def graph(*files: Path) -> int:
    """Draw the tasks of flows as Mermaid text.

    Parameters
    ----------
    files
        YAML files, each of one or several flows.
    """
    for compiled in _plans(files):
        say(draw(compiled))
    return 0


def _plans(files: tuple[Path, ...]) -> Iterator[Plan]:
    for file, source, reading in _readings(files):
        if reading.flow is None:
            for line in explain(str(file), source, reading.errors):
                complain(line)
            raise CommandError(f"{file}: {_name(reading)} has {len(reading.errors)} problem(s)")
        key = FlowKey(MAIN_TENANT, reading.flow.namespace, reading.flow.id)
        yield compile_flow(reading.flow, key=key, revision=reading.revision or 1)


def _readings(files: tuple[Path, ...]) -> Iterator[tuple[Path, str, Reading]]:
    if not files:
        raise CommandError("name at least one file", code=2)
    registry = Registry.installed()
    for file in files:
        sources = documents(read_file(file))
        if not sources:
            raise CommandError(f"{file} holds no flow")
        for source in sources:
            yield file, source, read_flow(source, registry)


def _name(reading: Reading) -> str:
    return f"{reading.namespace or '?'}.{reading.id or '?'}"
