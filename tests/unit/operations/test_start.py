"""Making executions: inputs with look-ups, labels, limits of the caller (01 §1.3, §2.5)."""

from typing import Any

import pytest

from batuta.engine.events import Created
from batuta.model.ids import FlowKey
from batuta.model.label import Label
from batuta.operations import flows, keyvalues, start
from batuta.operations.caller import SYSTEM, Caller
from batuta.operations.errors import (
    IllegalArgumentError,
    IllegalStateError,
    InvalidEntityError,
    NotFoundError,
)
from batuta.operations.files import upload_of
from batuta.operations.services import Services
from batuta.operations.start import Wanted
from batuta.sdk.context import KeyValue
from batuta.storage.layout import namespace_files_path, to_uri
from tests.unit.operations.conftest import FLOW, save


async def inputs_of(services: Services, declared: str, **given: Any) -> Any:
    await save(
        services, f"variables: {{name: ada, hello: 'hi {{{{ vars.name }}}}'}}\ninputs:\n{declared}"
    )
    return (await start.start(SYSTEM, services, FLOW, wanted=Wanted(inputs=given))).inputs


@pytest.mark.parametrize(
    ("default", "value"),
    [
        ("plain", "plain"),
        ("{{ flow.namespace }}/{{ flow.id }}", "acme.data/hello"),
        ("{{ vars.hello }}", "hi ada"),
        ("{{ globals.region }}-{{ envs.stage }}", "eu-test"),
        ("{{ labels.team.name }}", "data"),
        ("{{ secret('TOKEN') }}", "s3cret"),
        ("{{ kv('mine') }}", "1"),
        ("{{ kv('shared') }}", "up"),
        ("{{ kv('nope', errorOnMissing=false) ?? 'none' }}", "none"),
        ("{{ kv('wait') }}", "300.0"),
        ("{{ read('a/b.txt') }}", "content"),
        ("{{ read('nsfile:///a/b.txt') }}", "content"),
        ("{{ fileExists('nope.txt') }}", "false"),
        ("{{ fileSize('a/b.txt') }}", "7"),
    ],
)
async def test_defaults_are_rendered_with_the_rights_of_the_flow(
    services: Services, default: str, value: str
) -> None:
    for namespace, key, stored in (
        ("acme.data", "mine", 1),
        ("acme", "shared", "up"),
        ("acme", "wait", "PT5M"),
    ):
        entry = KeyValue(key=key, value=stored, kind=keyvalues.kind_of(stored))
        await keyvalues.put(SYSTEM, services, namespace, entry=entry)
    uri = to_uri((*namespace_files_path("acme.data"), "a", "b.txt"))
    await services.storage.put("main", uri, b"content")
    await save(
        services,
        "labels: {team.name: data}\nvariables: {name: ada, hello: 'hi {{ vars.name }}'}\n"
        f'inputs: [{{id: x, type: STRING, defaults: "{default}"}}]\n',
    )
    execution = await start.start(SYSTEM, services, FLOW, wanted=Wanted())
    assert execution.inputs == {"x": value}


@pytest.mark.parametrize(
    ("default", "said"),
    [
        ("{{ secret('NOPE') }}", "Cannot find secret for key 'NOPE'"),
        ("{{ kv('nope') }}", "The key 'nope' does not exist"),
        ("{{ http('http://x') }}", "not available in inputs"),
        ("{{ read('kestra:///x') }}", "scheme not supported"),
    ],
)
async def test_a_default_that_cannot_be_rendered_is_named(
    services: Services, default: str, said: str
) -> None:
    await save(services, f'inputs: [{{id: x, type: STRING, defaults: "{default}"}}]\n')
    with pytest.raises(InvalidEntityError) as caught:
        await start.start(SYSTEM, services, FLOW, wanted=Wanted())
    assert [violation.path for violation in caught.value.violations] == ["x"]
    assert said in caught.value.message


async def test_inputs_nest_by_their_dots(services: Services) -> None:
    declared = "  - {id: a.b, type: INT}\n  - {id: a.c, type: STRING, required: false}\n"
    assert await inputs_of(services, declared, **{"a.b": "5"}) == {"a": {"b": 5}}


async def test_row_and_event_are_written_together(services: Services) -> None:
    await save(services)
    execution = await start.start(SYSTEM, services, FLOW, wanted=Wanted())
    row = await services.store.executions.get(execution.id)
    assert row is not None
    assert row.execution == execution
    (mail,) = await services.store.queues.inbox(range(64))
    assert (mail.execution_id, type(mail.event)) == (execution.id, Created)


async def test_labels_of_flow_and_caller_and_the_correlation_id(services: Services) -> None:
    await save(services, "labels: {a: '1', b: '2', system.readOnly: 'true'}\n")
    given = (Label("b", "3"), Label("system.correlationId", "mine"))
    execution = await start.start(SYSTEM, services, FLOW, wanted=Wanted(labels=given))
    assert execution.labels == (
        Label("a", "1"),
        Label("b", "3"),
        Label("system.correlationId", "mine"),
    )
    with pytest.raises(IllegalArgumentError, match=r"offending label: system\.app=x"):
        await start.start(SYSTEM, services, FLOW, wanted=Wanted(labels=(Label("system.app", "x"),)))


async def test_what_may_not_be_started(services: Services) -> None:
    await save(services)
    stranger = Caller(namespaces=("acme.database",))
    for caller, key in ((stranger, FLOW), (SYSTEM, FlowKey("main", "acme", "hello"))):
        with pytest.raises(NotFoundError, match="Requested Flow is not found"):
            await start.start(caller, services, key, wanted=Wanted())
    await flows.set_disabled(SYSTEM, services, FLOW, disabled=True)
    with pytest.raises(IllegalStateError, match="Requested Flow is disabled"):
        await start.start(SYSTEM, services, FLOW, wanted=Wanted())
    await flows.delete(SYSTEM, services, FLOW)
    with pytest.raises(NotFoundError):
        await start.start(SYSTEM, services, FLOW, wanted=Wanted())
    owner = Caller(namespaces=("acme",))
    await save(services)
    assert await start.start(owner, services, FLOW, wanted=Wanted())


async def test_an_empty_file_is_refused_and_nothing_is_stored(services: Services) -> None:
    await save(services, "inputs: [{id: f, type: FILE}]\n")
    wanted = Wanted(uploads={"f": upload_of("f", "a.csv", b"")})
    with pytest.raises(IllegalArgumentError, match=r"Can't upload file: a\.csv"):
        await start.start(SYSTEM, services, FLOW, wanted=wanted)
    assert await services.store.queues.inbox(range(64)) == []
    assert await services.storage.walk("main", "kestra:///") == []


async def test_the_file_of_a_disabled_input_is_dropped(services: Services) -> None:
    await save(
        services,
        "inputs:\n  - {id: use, type: BOOL, defaults: false}\n"
        "  - {id: f, type: FILE, dependsOn: {inputs: [use], condition: '{{ inputs.use }}'}}\n",
    )
    wanted = Wanted(uploads={"f": upload_of("f", "a.csv", b"1")})
    execution = await start.start(SYSTEM, services, FLOW, wanted=wanted)
    assert execution.inputs == {"use": False}
    assert await services.storage.walk("main", "kestra:///") == []


async def test_an_old_revision_can_be_started(services: Services) -> None:
    await save(services)
    await save(services, "description: new\n")
    execution = await start.start(SYSTEM, services, FLOW, wanted=Wanted(), revision=1)
    assert execution.revision == 1


@pytest.mark.parametrize(
    ("text", "points"),
    [(None, ()), ("a, b.x ,", (("a", None), ("b", "x"))), ("a.b.c", (("a", "b.c"),))],
)
def test_breakpoints_are_read(text: str | None, points: object) -> None:
    assert start.read_breakpoints(text) == points


async def test_a_replay_keeps_what_was_given(services: Services) -> None:
    await save(services)
    first = await start.start(SYSTEM, services, FLOW, wanted=Wanted(labels=(Label("a", "b"),)))
    again = start.replay_of(first, services).execution
    assert (again.parent_id, again.original_id, again.attempt_number) == (first.id, first.id, 2)
    assert Label("system.replay", "true") in again.labels
    third = start.replay_of(again, services).execution
    assert (third.parent_id, third.original_id) == (again.id, first.id)
