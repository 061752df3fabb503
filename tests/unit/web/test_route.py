"""The route table: literal segments win, variables match one segment (03 §1.1)."""

from typing import Any

import pytest

from batuta.web.route import Match, Route, RouteTable


def handler(name: str) -> Any:
    async def answer(_: object) -> str:
        return name

    answer.__name__ = name
    return answer


TABLE = RouteTable(
    [
        Route("GET", "/flows/{namespace}", handler("of_namespace")),
        Route("GET", "/flows/search", handler("search")),
        Route("POST", "/flows/{namespace}", handler("update_namespace")),
        Route("POST", "/runs/{namespace}/{flow}", handler("create")),
        Route("POST", "/runs/{id}/kill", handler("kill")),
        Route("GET", "/", handler("index")),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("GET", "/flows/search", "search", {}),
        ("GET", "/flows/search/", "search", {}),
        ("GET", "/flows/acme", "of_namespace", {"namespace": "acme"}),
        ("POST", "/flows/search", "update_namespace", {"namespace": "search"}),
        ("POST", "/runs/a/b", "create", {"namespace": "a", "flow": "b"}),
        ("POST", "/runs/a/kill", "kill", {"id": "a"}),
        ("GET", "/", "index", {}),
    ],
)
def test_paths_find_their_handler(
    method: str, path: str, name: str, parameters: dict[str, str]
) -> None:
    found = TABLE.find(method, path)
    assert isinstance(found, Match)
    assert (found.handler.__name__, found.parameters) == (name, parameters)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/flows/search", {"GET", "POST"}),
        ("GET", "/nothing", set()),
        ("GET", "/flows", set()),
        ("GET", "/flows//", set()),
        ("GET", "/flows/a/b", set()),
    ],
)
def test_what_is_not_found_names_the_allowed_methods(
    method: str, path: str, allowed: set[str]
) -> None:
    assert TABLE.find(method, path) == allowed


def test_a_route_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        RouteTable([Route("GET", "/a/{x}", handler("a")), Route("GET", "/a/{y}", handler("b"))])
