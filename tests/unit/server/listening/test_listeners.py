"""What Flow triggers remember between events, across crashes and turns that were not written (04 §10.4)."""

from pathlib import Path

from batuta.expr.host import Settings
from batuta.model.instant import Instant
from batuta.server.listening.listeners import Listeners
from batuta.server.listening.preconditions import Memory
from batuta.store.rows import Committed, TriggerKey
from tests.unit.server.installation import Installation

NOON = Instant(43_200_000_000)
LOG = "{id: t, type: io.kestra.plugin.core.log.Log, message: x}"
LISTENER = f"""
id: hears
namespace: acme
triggers:
  - id: both
    type: io.kestra.plugin.core.trigger.Flow
    preconditions: {{id: p, flows: [{{namespace: acme, flowId: a}}, {{namespace: acme, flowId: b}}]}}
tasks: [{LOG}]
"""


def flow(name: str) -> str:
    return f"{{id: {name}, namespace: acme, tasks: [{LOG}]}}"


async def test_a_crash_between_two_events_forgets_nothing(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    one.run()
    try:
        first, second = await one.save(flow("a")), await one.save(flow("b"))
        await one.save(LISTENER)
        await one.ended(await one.start(first))
        await one.crash()
        one.run()
        await one.ended(await one.start(second))

        async def heard() -> bool | None:
            return any(each.flow.id == "hears" for each in await one.all_executions()) or None

        assert await one.when(heard)
    finally:
        await one.crash()
        await one.store.close()


async def test_only_what_is_not_written_yet_is_held_in_memory(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    listeners = Listeners(one.services, settings=Settings())
    key = await one.save(LISTENER)
    place = TriggerKey(key, "preconditions:both")
    try:
        listeners._uncommitted[place] = {"p": Memory(met=("x",), first=NOON)}
        written = listeners._row(place)
        assert written is not None
        listeners.note(Committed(triggers=[written]))
        assert not listeners._uncommitted
        listeners._uncommitted[place] = {"p": Memory(met=("x", "y"), first=NOON)}
        listeners.note(Committed(triggers=[written]))
        assert listeners._uncommitted
        assert listeners._row(place) is not None
        listeners.forget([place])
        assert listeners._row(place) is None
    finally:
        await one.store.close()
