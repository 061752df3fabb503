"""The function `http()` of templates (02 §5), under the same guard as the HTTP tasks."""

from collections.abc import Mapping
from typing import Any

from batuta.expr.errors import EvaluationError
from batuta.model import codec
from batuta.sdk.errors import PluginError
from batuta.sdk.rendering import render_definition
from batuta.server.answers.question import Question

FIRST_ERROR_STATUS = 400
TASK_ONLY = ("proxy", "ssl", "logs", "defaultCharset")
"""Options that only the tasks offer."""


async def http(question: Question) -> Any:
    """The decoded body. Raises `EvaluationError` for refusals, bad options and answers of 400 and above."""
    import httpx2

    from batuta.plugins.core.http.guard import SETTING, GuardedTransport
    from batuta.plugins.core.http.options import HttpOptions

    arguments = question.arguments
    given = _known(arguments.get("options") or {})
    try:
        options = render_definition(
            HttpOptions, given, render=lambda value: value, registry=question.services.registry
        )
    except PluginError as error:
        raise EvaluationError(f"The options of http() are wrong: {error}") from error
    transport: httpx2.AsyncBaseTransport = httpx2.AsyncHTTPTransport(trust_env=False)
    if question.services.settings.plugin_settings.get(SETTING, False) in {True, "true"}:
        transport = GuardedTransport(transport)
    auth: httpx2.Auth | None = httpx2.BasicAuth(*options.basic) if options.basic else None
    headers, content = _message(arguments)
    if options.bearer:
        headers["Authorization"] = f"Bearer {options.bearer}"
    try:
        async with httpx2.AsyncClient(
            transport=transport,
            auth=auth,
            timeout=httpx2.Timeout(options.read_seconds, connect=options.connect_seconds),
            follow_redirects=options.follow_redirects,
            trust_env=False,
        ) as client:
            answer = await client.request(
                str(arguments.get("method") or "GET"),
                str(arguments["uri"]),
                params=arguments.get("query") or None,
                headers=headers,
                content=content,
            )
    except httpx2.HTTPError as error:
        raise EvaluationError(f"Failed to execute HTTP Request: {error}") from error
    if answer.status_code >= FIRST_ERROR_STATUS and not options.allow_failed:
        raise EvaluationError(
            f"Failed to execute HTTP Request, server respond with status {answer.status_code}"
        )
    if "json" in answer.headers.get("content-type", ""):
        return codec.decode(answer.content)
    return answer.text


def _known(options: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in TASK_ONLY:
        if name in options:
            raise EvaluationError(
                f"The option `{name}` of http() is not available; use an HTTP task."
            )
    return options


def _message(arguments: Mapping[str, Any]) -> tuple[dict[str, str], bytes | None]:
    headers = {
        str(name): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in (arguments.get("headers") or {}).items()
        if str(name).lower() != "content-type"
    }
    headers["Accept"] = str(arguments.get("accept") or "application/json")
    body = arguments.get("body")
    if body is None:
        return headers, None
    headers["Content-Type"] = str(arguments.get("contentType") or "application/json")
    return headers, body.encode() if isinstance(body, str) else codec.encode(body)
