"""All routes of the API, and the services that they work with."""

from batuta.operations.caller import MAIN_TENANT
from batuta.operations.errors import BadRequestError
from batuta.operations.services import Services
from batuta.web.route import Match, RouteTable
from batuta.web.routes import (
    execution,
    execution_bulk,
    execution_view,
    flow,
    installation,
    keyvalue,
    log,
    metric,
    namespace,
    plugin,
    template,
    trigger,
)


class Api:
    def __init__(self, services: Services) -> None:
        self.services = services
        self._tenanted = RouteTable(
            (
                *flow.ROUTES,
                *execution.ROUTES,
                *execution_bulk.ROUTES,
                *execution_view.ROUTES,
                *log.ROUTES,
                *metric.ROUTES,
                *keyvalue.ROUTES,
                *namespace.ROUTES,
                *trigger.ROUTES,
                *(template.ROUTES if services.settings.templates else ()),
                *installation.ROUTES,
            )
        )
        self._untenanted = RouteTable((*installation.UNTENANTED, *plugin.UNTENANTED))

    def find(self, method: str, path: str) -> Match | frozenset[str]:
        """The route of a path below `/api/v1`, or the methods that the path knows.

        With or without the tenant (03 §1.3). Raises `BadRequestError` for a known path below another tenant.
        """
        if path == f"/{MAIN_TENANT}" or path.startswith(f"/{MAIN_TENANT}/"):
            return self._tenanted.find(method, path[len(MAIN_TENANT) + 1 :])
        found = self._untenanted.find(method, path)
        if not found:
            found = self._tenanted.find(method, path)
        if not found:
            self._refuse_tenant(method, path)
        return found

    def _refuse_tenant(self, method: str, path: str) -> None:
        _, _, rest = path.lstrip("/").partition("/")
        if rest and self._tenanted.find(method, rest):
            raise BadRequestError("Tenant must be 'main' for OSS version")
