"""What operations and roles work with: one frozen value, made by `cli.wiring` and by tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.plugins.documents import Documents
from batuta.operations.settings import Settings
from batuta.operations.system import Clock, Ids
from batuta.sdk.registry import Registry
from batuta.storage.contract import Storage
from batuta.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Roles learn of new work through `store.changes`; nobody needs to be woken by hand."""

    store: Store
    storage: Storage
    registry: Registry
    clock: Clock
    ids: Ids
    settings: Settings
    plans: PlanCache
    feed: Feed
    environment: Mapping[str, str]
    """Variables of the server's environment: secrets and `envs` of templates."""
    documents: Documents = field(init=False)
    """Schemas and documentation of the registry's types."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "documents", Documents(self.registry))
