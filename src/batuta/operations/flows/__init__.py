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

__all__ = [
    "Imported",
    "Verdict",
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
    "set_disabled",
    "unreadable",
    "update",
    "upsert",
    "validate",
]
