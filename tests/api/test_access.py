"""Who may ask, where the API is, and what errors look like (03 §1, §2, §3.6)."""

import base64

import httpx2
import pytest

from batuta.operations.account import Account, AccountKeeper, SettingsAccountStore
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.store.errors import StoreUnavailableError
from batuta.web.api import Api
from batuta.web.app import Application
from batuta.web.auth import GuessLimit
from batuta.web.front import Front
from tests.api.conftest import API, CREDENTIALS, PASSWORD, USER


def basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def app_of(services: Services, keeper: AccountKeeper, settings: Settings) -> Application:
    opened = Application(
        Front(store=services.store, clock=services.clock, settings=settings, keeper=keeper)
    )
    opened.open(Api(services))
    return opened


def client_of(app: Application) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://batuta")


@pytest.mark.parametrize(
    "path", ["/health", "/health/readiness", "/ping", "/", "/api/v1/configs", "/api/v1/configs/"]
)
async def test_open_paths_need_no_credentials(stranger: httpx2.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/flows/search",
        "/api/v1/flows/search",
        f"{API}/flows/acme/configs",
        "/api/v1/nothing",
        "/api/v1/main/executions/webhook",
    ],
)
async def test_everything_else_wants_them(stranger: httpx2.AsyncClient, path: str) -> None:
    answer = await stranger.get(path)
    assert answer.status_code == 401
    assert answer.content == b""
    assert answer.headers["www-authenticate"] == "Basic"


async def test_no_prompt_for_the_login_page(stranger: httpx2.AsyncClient) -> None:
    answer = await stranger.get(
        f"{API}/flows/search", headers={"referer": "http://x/ui/login?from=%2F"}
    )
    assert answer.status_code == 401
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": basic(USER, PASSWORD)}, 200),
        ({"authorization": basic(USER, PASSWORD).replace("Basic", "bAsIc")}, 200),
        ({"authorization": basic(USER.upper(), PASSWORD)}, 401),
        ({"authorization": basic(USER, "wrong")}, 401),
        ({"authorization": "Basic !!!"}, 401),
        ({"authorization": "Basic bm9jb2xvbg=="}, 401),
        ({"authorization": "Bearer abc"}, 401),
        ({"cookie": f"BASIC_AUTH={CREDENTIALS}"}, 200),
        ({"cookie": "BASIC_AUTH=bad", "authorization": basic(USER, PASSWORD)}, 401),
    ],
)
async def test_credentials(
    stranger: httpx2.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await stranger.get(f"{API}/flows/search", headers=headers)
    assert answer.status_code == status


async def test_guessing_is_slowed_down_but_not_the_owner(stranger: httpx2.AsyncClient) -> None:
    good = {"authorization": basic(USER, PASSWORD)}
    assert (await stranger.get(f"{API}/flows/search", headers=good)).status_code == 200
    for _ in range(GuessLimit.BURST):
        bad = {"authorization": basic(USER, "guess")}
        assert (await stranger.get(f"{API}/flows/search", headers=bad)).status_code == 401
    limited = await stranger.get(f"{API}/flows/search", headers=bad)
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 0
    assert (await stranger.get(f"{API}/flows/search", headers=good)).status_code == 200


async def test_first_run_sets_the_account_once(services: Services) -> None:
    store = SettingsAccountStore(services.store)
    keeper = AccountKeeper(None, key=b"k" * 32, store=store)
    async with client_of(app_of(services, keeper, services.settings)) as client:
        configs = await client.get("/api/v1/configs")
        assert configs.json()["isBasicAuthInitialized"] is False
        assert (await client.get(f"{API}/flows/search")).status_code == 401
        weak = await client.post(f"{API}/basicAuth", json={"username": "me", "password": "short"})
        assert weak.status_code == 400
        assert weak.json()["message"].endswith(": Resource fails validation")
        account = {"uid": "x", "username": USER, "password": PASSWORD}
        assert (await client.post(f"{API}/basicAuth", json=account)).status_code == 204
        assert (await client.post(f"{API}/basicAuth", json=account)).status_code == 401
        good = {"authorization": basic(USER, PASSWORD)}
        assert (await client.get(f"{API}/flows/search", headers=good)).status_code == 200
    stored = await store.load()
    assert stored is not None
    assert stored.password.startswith("$argon2id$")
    fresh = AccountKeeper(stored, key=b"x" * 32, store=store)
    assert await fresh.verify(USER, PASSWORD)
    assert not await fresh.verify(USER, PASSWORD + "x")


async def test_paths_with_and_without_the_tenant(client: httpx2.AsyncClient) -> None:
    for path in (f"{API}/flows/search", "/api/v1/flows/search", f"{API}/flows/search/"):
        assert (await client.get(path)).status_code == 200
    other = await client.get("/api/v1/acme/flows/search")
    assert other.status_code == 400
    assert other.json()["message"] == "Bad Request: Tenant must be 'main' for OSS version"
    assert (await client.get(f"{API}/configs")).status_code == 404


async def test_unknown_paths_and_methods(client: httpx2.AsyncClient) -> None:
    missing = await client.get(f"{API}/nothing/here?x=1")
    assert missing.status_code == 404
    assert missing.json() == {
        "message": "Not Found",
        "_links": {"self": {"href": f"{API}/nothing/here?x=1", "templated": False}},
    }
    wrong = await client.patch(f"{API}/flows/acme/hello")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "DELETE, GET, PUT"
    assert (await client.post("/health")).status_code == 405
    assert (await client.head("/health")).status_code == 200


@pytest.mark.parametrize(
    ("content", "message"), [("{", "Invalid json: "), ('{"a": 1}', "Invalid json mapping: ")]
)
async def test_bad_json(client: httpx2.AsyncClient, content: str, message: str) -> None:
    answer = await client.post(f"{API}/executions/latest", content=content)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(message)


async def test_a_body_that_is_too_large(services: Services, keeper: AccountKeeper) -> None:
    settings = Settings(max_request_bytes=10)
    good = {"authorization": basic(USER, PASSWORD), "content-type": "application/x-yaml"}
    async with client_of(app_of(services, keeper, settings)) as client:
        answer = await client.post(f"{API}/flows", content="x" * 11, headers=good)
        assert answer.status_code == 413

        async def chunks() -> object:
            for _ in range(11):
                yield b"x"

        streamed = await client.post(f"{API}/flows", content=chunks(), headers=good)
        assert streamed.status_code == 413


async def test_a_mistake_of_ours_tells_nothing(
    client: httpx2.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("batuta.web.routes.flow.flows.search", fail)
    answer = await client.get(f"{API}/flows/search")
    assert answer.status_code == 500
    assert answer.json()["message"] == "Internal server error"
    assert "secret" not in answer.text


async def test_a_context_path_prefixes_everything(
    services: Services, keeper: AccountKeeper
) -> None:
    app = app_of(services, keeper, Settings(context_path="/kestra"))
    async with client_of(app) as client:
        assert (await client.get("/kestra/health")).status_code == 200
        assert (await client.get("/health")).status_code == 404
        assert (await client.get("/kestrax/health")).status_code == 404
        assert (await client.get("/kestra/api/v1/flows/search")).status_code == 401


async def test_other_origins_may_call_only_when_configured(
    services: Services, keeper: AccountKeeper, client: httpx2.AsyncClient
) -> None:
    asking = {
        "origin": "https://page.example",
        "access-control-request-method": "GET",
        "access-control-request-headers": "authorization",
    }
    closed = await client.options(f"{API}/flows/search", headers=asking)
    assert "access-control-allow-origin" not in closed.headers
    app = app_of(services, keeper, Settings(cors_origins=("https://page.example",)))
    async with client_of(app) as open_client:
        preflight = await open_client.options(f"{API}/flows/search", headers=asking)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == "https://page.example"
        foreign = await open_client.get("/health", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in foreign.headers


async def test_an_account_in_plain_text_is_compared_without_hashing() -> None:
    keeper = AccountKeeper(Account(USER, PASSWORD), key=b"k" * 32, store=None)
    assert not keeper.is_proven(USER, PASSWORD)
    assert await keeper.verify(USER, PASSWORD)
    assert keeper.is_proven(USER, PASSWORD)
    assert not await keeper.verify("other@example.org", PASSWORD)


async def test_a_store_that_is_gone_is_told_as_such(
    client: httpx2.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise StoreUnavailableError("disk I/O error", location="/var/lib/batuta.db")

    monkeypatch.setattr(services.store.flows, "search", fail)
    monkeypatch.setattr(services.store.settings, "get", fail)
    answer = await client.get(f"{API}/flows/search")
    assert answer.status_code == 503
    assert answer.json()["message"] == "Service Unavailable: The store cannot be reached"
    health = await client.get("/health")
    assert health.status_code == 503
    assert health.json()["details"] == {"store": {"status": "DOWN"}}


async def test_a_server_is_alive_before_it_is_ready(
    services: Services, keeper: AccountKeeper
) -> None:
    front = Front(
        store=services.store, clock=services.clock, settings=services.settings, keeper=keeper
    )
    app = Application(front)

    async def states(client: httpx2.AsyncClient) -> tuple[int, int, dict[str, str]]:
        alive = await client.get("/health/liveness")
        ready = await client.get("/health/readiness")
        details = ready.json()["details"]
        return (
            alive.status_code,
            ready.status_code,
            {name: part["status"] for name, part in details.items()},
        )

    async with client_of(app) as client:
        parts = {"store": "UP", "api": "DOWN", "roles": "DOWN"}
        assert await states(client) == (200, 503, parts)
        app.open(Api(services))
        assert await states(client) == (200, 503, {**parts, "api": "UP"})
        app.take_up_work()
        assert await states(client) == (200, 200, {**parts, "api": "UP", "roles": "UP"})
        app.close()
        assert await states(client) == (200, 503, {**parts, "api": "UP"})
