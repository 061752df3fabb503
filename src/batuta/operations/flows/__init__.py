"""Flows: what can be asked of them and done with them (03 §7)."""

from batuta.operations.flows.change import (
    Imported,
    create,
    delete,
    import_source,
    replace_all,
    set_disabled,
    update,
    upsert,
)
from batuta.operations.flows.look import (
    Verdict,
    chosen,
    get,
    namespaces,
    of_namespace,
    revisions,
    search,
    unreadable,
    validate,
)
from batuta.operations.flows.part import FoundSource, check_part, search_sources, task

__all__ = [
    "FoundSource",
    "Imported",
    "Verdict",
    "check_part",
    "chosen",
    "create",
    "delete",
    "get",
    "import_source",
    "namespaces",
    "of_namespace",
    "replace_all",
    "revisions",
    "search",
    "search_sources",
    "set_disabled",
    "task",
    "unreadable",
    "update",
    "upsert",
    "validate",
]
