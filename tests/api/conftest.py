"""The API in process: real operations over a real store, no roles, no sockets."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batuta.operations import order
from batuta.operations.account import Account, AccountKeeper, SettingsAccountStore
from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.sdk.registry import Registry
from batuta.storage.memory import MemoryStorage
from batuta.store.contract import Store
from batuta.store.memory import MemoryStore
from batuta.store.sqlite.store import SqliteStore
from batuta.testing.clock import FakeClock, SeededIds
from batuta.web.api import Api
from batuta.web.app import Application
from batuta.web.front import Front

USER = "ops@example.org"
PASSWORD = "Sup3rsecret"
CREDENTIALS = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
API = "/api/v1/main"
LOG_TYPE = "io.kestra.plugin.core.log.Log"


def flow_source(flow_id: str = "hello", *, namespace: str = "acme", more: str = "") -> str:
    return (
        f"id: {flow_id}\nnamespace: {namespace}\n{more}"
        f"tasks:\n  - id: t1\n    type: {LOG_TYPE}\n    message: hi\n"
    )


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


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store = (
        MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "db")
    )
    yield opened
    await opened.close()


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def environment() -> dict[str, str]:
    return {}


@pytest.fixture
async def services(
    store: Store,
    registry: Registry,
    clock: FakeClock,
    settings: Settings,
    environment: dict[str, str],
) -> Services:
    return Services(
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


@pytest.fixture
async def keeper(services: Services) -> AccountKeeper:
    return AccountKeeper(
        Account(USER, PASSWORD), key=b"k" * 32, store=SettingsAccountStore(services.store)
    )


@pytest.fixture
async def app(services: Services, keeper: AccountKeeper) -> Application:
    opened = Application(
        Front(store=services.store, clock=services.clock, settings=services.settings, keeper=keeper)
    )
    opened.open(Api(services))
    opened.take_up_work()
    return opened


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx2.AsyncClient]:
    """Signed in."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://batuta",
        headers={"authorization": f"Basic {CREDENTIALS}"},
    ) as opened:
        yield opened


@pytest.fixture
async def stranger(app: Application) -> AsyncIterator[httpx2.AsyncClient]:
    """Without credentials."""
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url="http://batuta"
    ) as opened:
        yield opened


SaveFlow = Callable[..., Any]


@pytest.fixture
def save_flow(client: httpx2.AsyncClient) -> SaveFlow:
    async def save(source: str) -> dict[str, Any]:
        answer = await client.post(
            f"{API}/flows", content=source, headers={"content-type": "application/x-yaml"}
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return save
