"""The flows and snippets inside the mission's texts, run as a reader would who pastes them in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.e2e.batuta_server import Server, outputs_of, states_of
from tests.e2e.examples import MISSION, at_home, mission_blocks
from tests.e2e.postgres import Postgres

BLOCKS = dict(mission_blocks())
TYPE = re.compile(r"type:\s*(io\.kestra\.\S+)")
MISSING_GROUPS = ("io.kestra.plugin.gcp.", "io.kestra.plugin.ai.", "io.kestra.plugin.git.")
"""Groups that other work adds; their blocks are skipped and counted."""

INPUTS = """\
inputs:
  - {id: year, type: INT, defaults: 2021}
  - {id: month, type: INT, defaults: 1}
  - {id: taxi_type, type: STRING, defaults: yellow}
"""


@dataclass(frozen=True)
class Expected:
    """`states` of some tasks, `messages` that some tasks log; `state` of the whole."""

    state: str = "SUCCESS"
    states: Mapping[str, str] = field(default_factory=dict)
    messages: Mapping[str, str] = field(default_factory=dict)


EXPECTED = {
    "hello-world": Expected(states={"date": "SUCCESS"}),
    "inputs_demo": Expected(messages={"hello": "Hey there, Rick Astley"}),
    "my_first_flow": Expected(messages={"hello": "Hello, World!"}),
    "return_value": Expected(messages={"log_output": "The year is 2021"}),
    "extract_data": Expected(states={"extract_data": "SUCCESS"}),
    "download": Expected(states={"download": "SUCCESS"}),
    "fetch_dockerhub_pulls": Expected(messages={"log_pulls": "Docker pulls: 123456789"}),
    "gcp_setup_kv": Expected(states={"set_dataset": "SUCCESS"}),
    "getting_started_pipeline": Expected(states={"query": "SUCCESS"}),
    # The text loads a gzip file as CSV into a table with two more columns than the file has: no server takes that.
    "postgres_taxi": Expected(
        state="FAILED",
        states={
            "extract": "SUCCESS",
            "create_final_table": "SUCCESS",
            "create_staging_table": "SUCCESS",
            "load_data": "FAILED",
        },
    ),
}


def first_id(block: str) -> str:
    match = re.search(r"id:\s*(\S+)", block)
    return match[1] if match else ""


def runnable() -> list[str]:
    """Blocks that hold tasks of types that are here."""
    return [
        name
        for name, block in BLOCKS.items()
        if re.search(r"^tasks:", block, re.MULTILINE)
        and not any(found.startswith(MISSING_GROUPS) for found in TYPE.findall(block))
    ]


def whole_flow(name: str) -> str:
    """A block as a flow: a snippet gets an id, a namespace and the inputs that the text declares above it."""
    block = BLOCKS[name]
    if re.search(r"^id:", block, re.MULTILINE):
        return block
    given = "" if re.search(r"^inputs:", block, re.MULTILINE) else INPUTS
    return f"id: block-{name}\nnamespace: mission\n{given}{block}"


@pytest.mark.parametrize("name", runnable() or [None])
def test_block_runs(name: str | None, server: Server, hosts: str, database: Postgres) -> None:
    if name is None:
        pytest.skip(f"the mission's texts are not on this machine ({MISSION.name})")
    source = at_home(whole_flow(name), hosts=hosts, database=database.address)
    if "namespaceFiles" in source:
        upload(server, "zoomcamp", "main.py", "import requests\nprint(requests.__name__)\n")
    execution = server.run(source, seconds=80)
    expected = EXPECTED.get(first_id(BLOCKS[name]), Expected())
    messages = server.messages(execution["id"])
    assert execution["state"]["current"] == expected.state, messages
    assert expected.states.items() <= states_of(execution).items()
    for task_id, text in expected.messages.items():
        assert text in server.messages(execution["id"], task_id)


def upload(server: Server, namespace: str, path: str, content: str) -> None:
    """Put a namespace file there, by the tasks made for it."""
    source = f"""\
id: upload
namespace: {namespace}
inputs: [{{id: content, type: STRING}}]
tasks:
  - id: write
    type: io.kestra.plugin.core.storage.Write
    content: "{{{{ inputs.content }}}}"
  - id: put
    type: io.kestra.plugin.core.namespace.UploadFiles
    namespace: {namespace}
    filesMap: {{{path}: "{{{{ outputs.write.uri }}}}"}}
"""
    execution = server.run(source, {"content": content})
    assert execution["state"]["current"] == "SUCCESS", server.messages(execution["id"])


@pytest.mark.skipif(not BLOCKS, reason="the mission's texts are not on this machine")
def test_products_are_counted_by_category(server: Server, hosts: str) -> None:
    (name,) = (
        one for one, block in BLOCKS.items() if first_id(block) == "getting_started_pipeline"
    )
    execution = server.run(at_home(BLOCKS[name], hosts=hosts), seconds=80)
    assert execution["state"]["current"] == "SUCCESS", server.messages(execution["id"])
    assert "products.csv" in outputs_of(execution, "transform")["outputFiles"]


@pytest.mark.parametrize(
    "name",
    [name for name, block in BLOCKS.items() if any(g in block for g in MISSING_GROUPS)],
)
def test_block_of_another_group(name: str) -> None:
    missing = sorted(
        {kind for kind in TYPE.findall(BLOCKS[name]) if kind.startswith(MISSING_GROUPS)}
    )
    pytest.skip(f"task types of later work: {', '.join(missing)}")
