"""Configuration of the page, first-run setup (03 §2.4, §19)."""

from typing import Any

import msgspec
from starlette.responses import Response

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


async def configuration(ask: Ask) -> Response:
    settings = ask.services.settings
    wire: dict[str, Any] = {
        "uuid": await health.installation_id(ask.services.store, ask.services.ids),
        "version": COMPATIBLE_VERSION,
        "edition": "OSS",
        "chartDefaultDuration": _CHART_DURATION,
        "isCustomDashboardsEnabled": False,
        "isAnonymousUsageEnabled": False,
        "isUiAnonymousUsageEnabled": False,
        "isTemplateEnabled": settings.templates,
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
    wire["pluginsHash"] = health.plugins_hash(ask.services.registry)
    return json_response(wire)


async def account_problems(ask: Ask) -> Response:
    return json_response(list(ask.services.settings.basic_auth_problems))


async def set_account(ask: Ask) -> Response:
    account = await ask.json(NewAccount)
    await ask.keeper.replace(account.username, account.password)
    return empty(204)


UNTENANTED = (
    Route("GET", "/configs", configuration),
    Route("GET", "/basicAuthValidationErrors", account_problems),
)
ROUTES = (Route("POST", "/basicAuth", set_account),)
