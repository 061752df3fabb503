"""What a running task or a template asks, and whose rights it has."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batuta.operations.caller import Caller
from batuta.operations.services import Services
from batuta.sdk.context import RunInfo


@dataclass(frozen=True, slots=True)
class Question:
    """`arguments` are plain JSON data."""

    services: Services
    info: RunInfo
    arguments: Mapping[str, Any]

    @property
    def caller(self) -> Caller:
        """A task has the rights of its flow."""
        info = self.info
        return Caller(user=f"flow {info.namespace}.{info.flow_id}", tenant=info.tenant)


Answer = Callable[[Question], Awaitable[Any]]
