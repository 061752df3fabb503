"""Operations over stores in memory, with a clock that stands still."""

from collections.abc import AsyncIterator, Mapping

import pytest

from batuta.model.ids import FlowKey
from batuta.operations import flows, order
from batuta.operations.caller import SYSTEM
from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.sdk.registry import Registry
from batuta.storage.memory import MemoryStorage
from batuta.store.memory import MemoryStore
from batuta.testing.clock import FakeClock, SeededIds

FLOW = FlowKey("main", "acme.data", "hello")
TASKS = "tasks:\n  - {id: t1, type: io.kestra.plugin.core.log.Log, message: hi}\n"


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.installed()


@pytest.fixture(autouse=True)
def _nobody_takes_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no executor here, so nobody need wait for one."""
    monkeypatch.setattr(order, "KILL_SECONDS", 0.0)
    monkeypatch.setattr(order, "TAKEN_SECONDS", 0.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def settings() -> Settings:
    return Settings(globals={"region": "eu"})


@pytest.fixture
def environment() -> Mapping[str, str]:
    return {"SECRET_TOKEN": "czNjcmV0", "ENV_STAGE": "test", "OTHER": "x"}


@pytest.fixture
async def services(
    registry: Registry, clock: FakeClock, settings: Settings, environment: Mapping[str, str]
) -> AsyncIterator[Services]:
    store = MemoryStore()
    yield Services(
        store=store,
        storage=MemoryStorage(clock.now),
        registry=registry,
        clock=clock,
        ids=SeededIds(),
        settings=settings,
        plans=PlanCache(store, registry, settings=settings, clock=clock),
        feed=Feed(store),
        environment=environment,
    )
    await store.close()


async def save(services: Services, more: str = "") -> None:
    source = f"id: {FLOW.id}\nnamespace: {FLOW.namespace}\n{more}{TASKS}"
    await flows.upsert(SYSTEM, services, source)
