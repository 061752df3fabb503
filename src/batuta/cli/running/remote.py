"""A run on a server, over the same API that every client uses."""

from collections.abc import Mapping
from typing import Any

import httpx2
from rich.console import Console

from batuta.cli.failure import CommandError
from batuta.cli.output import say
from batuta.cli.running.order import Order
from batuta.cli.running.show import Screen, exit_code
from batuta.model import codec

_API = "/api/v1/main"
_YAML = {"content-type": "application/x-yaml"}
_TIMEOUT = httpx2.Timeout(30.0, read=3700.0)
"""A live view may be silent for an hour (03 §5)."""
_FIRST_ERROR = 400


def run_remote(order: Order, server: str, *, user: str | None, as_json: bool) -> int:
    auth = _credentials(user)
    base = server.rstrip("/")
    try:
        with httpx2.Client(base_url=base, auth=auth, timeout=_TIMEOUT) as client:
            wire = _run(order, client, Console(quiet=as_json, highlight=False))
    except httpx2.HTTPError as error:
        raise CommandError(f"{base} cannot be asked: {error}") from None
    if as_json:
        say(codec.encode_text(wire))
    return exit_code(wire)


def _credentials(user: str | None) -> tuple[str, str] | None:
    if user is None:
        return None
    name, colon, password = user.partition(":")
    if not colon:
        raise CommandError("--user: expected name:password", code=2)
    return name, password


def _run(order: Order, client: httpx2.Client, console: Console) -> Mapping[str, Any]:
    for source in order.sources:
        _save(client, source)
    execution = _start(client, order)
    screen = Screen(console)
    printed = 0
    with client.stream("GET", f"{_API}/executions/{execution['id']}/follow") as answer:
        if answer.status_code >= _FIRST_ERROR:
            answer.read()
            _check(answer)
        for line in answer.iter_lines():
            if line.startswith(("data:", ":")):
                printed = _print_logs(client, execution["id"], screen, printed=printed)
            if line.startswith("data:"):
                screen.execution(codec.decode(line[len("data:") :]))
    wire: Mapping[str, Any] = _check(client.get(f"{_API}/executions/{execution['id']}"))
    _print_logs(client, execution["id"], screen, printed=printed)
    screen.end(wire)
    return wire


def _save(client: httpx2.Client, source: str) -> None:
    parts = {"fileUpload": ("flow.yaml", source.encode(), "application/x-yaml")}
    failed = _check(client.post(f"{_API}/flows/import", files=parts))
    if failed:
        verdict = _check(client.post(f"{_API}/flows/validate", content=source, headers=_YAML))
        reasons = [found.get("constraints", "unknown reason") for found in verdict]
        raise CommandError(f"The server does not take the flow: {'; '.join(reasons)}")


def _start(client: httpx2.Client, order: Order) -> Mapping[str, Any]:
    parts: dict[str, Any] = {name: (None, value) for name, value in order.inputs.items()}
    for name, file in order.files.items():
        parts[name] = (file.name, file.content)
    answer = client.post(
        f"{_API}/executions/{order.namespace}/{order.flow_id}",
        files=parts or None,
        params={"labels": [f"{label.key}:{label.value}" for label in order.labels]},
    )
    found: Mapping[str, Any] = _check(answer)
    return found


def _print_logs(client: httpx2.Client, execution_id: str, screen: Screen, *, printed: int) -> int:
    """Print the lines after the first `printed`; how many there are."""
    entries = _check(client.get(f"{_API}/logs/{execution_id}"))
    for entry in entries[printed:]:
        screen.log(entry)
    return len(entries)


def _check(answer: httpx2.Response) -> Any:
    if answer.status_code < _FIRST_ERROR:
        return codec.decode(answer.content)
    if answer.status_code == httpx2.codes.UNAUTHORIZED:
        raise CommandError("The server wants a name and password: --user name:password")
    try:
        message = codec.decode(answer.content)["message"]
    except (ValueError, KeyError, TypeError):
        message = f"status {answer.status_code}"
    raise CommandError(f"The server refuses: {message}")
