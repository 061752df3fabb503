"""Logs and metrics."""

from batuta.store.query import LOG_FIELDS, METRIC_FIELDS
from batuta.store.schema import log, metric
from batuta.store.statements.build import SearchRows, insert_rows

log_insert = insert_rows(log)
log_search = SearchRows(
    table=log,
    columns=list(log.columns),
    fields=LOG_FIELDS,
    key=[log.c.id],
    order=[log.c.at, log.c.id],
    words={
        "q": [
            log.c.message,
            log.c.namespace,
            log.c.flow_id,
            log.c.execution_id,
            log.c.task_id,
            log.c.trigger_id,
        ]
    },
    deletable=True,
)
metric_insert = insert_rows(metric)
metric_search = SearchRows(
    table=metric,
    columns=list(metric.columns),
    fields=METRIC_FIELDS,
    key=[metric.c.id],
    order=[metric.c.at, metric.c.id],
    deletable=True,
)
