"""What running tasks and templates ask of the server, answered with the rights of their flow.

The operations and their arguments are listed in `server.worker.gateway`.
"""

from collections.abc import Mapping
from typing import Any

from batuta.operations.errors import OperationError
from batuta.operations.services import Services
from batuta.sdk.context import RunInfo
from batuta.sdk.errors import PluginError, TaskError
from batuta.server.answers.journal import JOURNAL
from batuta.server.answers.lookups import LOOKUPS
from batuta.server.answers.orders import ORDERS
from batuta.server.answers.question import Answer, Question
from batuta.server.answers.stores import STORES

_OPERATIONS: Mapping[str, Answer] = {**LOOKUPS, **STORES, **JOURNAL, **ORDERS}


class Answers:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, info: RunInfo, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Raises the errors that `gateway.error_of` knows."""
        answer = _OPERATIONS.get(operation)
        if answer is None:
            raise PluginError(f"The server has no operation `{operation}` for tasks.")
        try:
            return await answer(Question(self._services, info, arguments))
        except (KeyError, ValueError):
            # Errors of operations that are these, too, keep their kind.
            raise
        except OperationError as error:
            raise TaskError(error.message or "Not found") from error
