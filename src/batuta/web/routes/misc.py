"""Health, configuration of the page, first-run setup (03 §1.1, §2.4, §19)."""

from importlib.metadata import version
from typing import Any

import msgspec
from starlette.responses import PlainTextResponse, Response

from batuta.operations import health
from batuta.web.request import Ask
from batuta.web.respond import empty, json_response
from batuta.web.route import Route

COMPATIBLE_VERSION = "1.1.0"
"""Clients choose their paths by it (03 §19)."""
_CHART_DURATION = "P30D"


class NewAccount(msgspec.Struct, frozen=True):
    username: str | None = None
    password: str | None = None


async def index(ask: Ask) -> Response:
    prefix = ask.services.settings.context_path
    return json_response(
        {
            "name": "batuta",
            "version": version("batuta"),
            "api": f"{prefix}/api/v1/main",
            "health": f"{prefix}/health",
        }
    )


async def ping(_ask: Ask) -> Response:
    return PlainTextResponse("pong")


async def report_health(ask: Ask) -> Response:
    report = await health.check(ask.services)
    status = "UP" if report.is_up else "DOWN"
    details = {name: {"status": "UP" if up else "DOWN"} for name, up in report.parts.items()}
    return json_response(
        {"status": status, "details": details}, status=200 if report.is_up else 503
    )


async def configuration(ask: Ask) -> Response:
    settings = ask.services.settings
    wire: dict[str, Any] = {
        "uuid": await health.installation_id(ask.services),
        "version": COMPATIBLE_VERSION,
        "edition": "OSS",
        "chartDefaultDuration": _CHART_DURATION,
        "isCustomDashboardsEnabled": False,
        "isAnonymousUsageEnabled": False,
        "isUiAnonymousUsageEnabled": False,
        "isTemplateEnabled": False,
    }
    if settings.environment_name is not None:
        wire["environment"] = {
            "name": settings.environment_name,
            **({"color": settings.environment_color} if settings.environment_color else {}),
        }
    if settings.url is not None:
        wire["url"] = settings.url
    wire["preview"] = {"initial": settings.preview_initial_rows, "max": settings.preview_max_rows}
    wire["systemNamespace"] = settings.system_namespace
    wire["hiddenLabelsPrefixes"] = list(settings.hidden_label_prefixes)
    wire["isAiEnabled"] = False
    wire["isBasicAuthInitialized"] = ask.keeper.is_initialised
    wire["pluginsHash"] = health.plugins_hash(ask.services)
    return json_response(wire)


async def account_problems(ask: Ask) -> Response:
    return json_response(list(ask.services.settings.basic_auth_problems))


async def set_account(ask: Ask) -> Response:
    account = await ask.json(NewAccount)
    await ask.keeper.replace(account.username, account.password)
    return empty(204)


OUTSIDE = (
    Route("GET", "/", index),
    Route("GET", "/ping", ping),
    Route("GET", "/health", report_health),
)
UNTENANTED = (
    Route("GET", "/configs", configuration),
    Route("GET", "/basicAuthValidationErrors", account_problems),
)
ROUTES = (Route("POST", "/basicAuth", set_account),)
