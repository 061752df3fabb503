"""Removal of what is old: executions with all that is theirs, logs, and entries of the key-value store (05 §24)."""

from batuta.operations.purge.executions import ExecutionPurge, Purged, purge_executions
from batuta.operations.purge.keyvalues import KeysPurged, KeyValuePurge, purge_key_values
from batuta.operations.purge.logs import LogPurge, purge_logs

__all__ = [
    "ExecutionPurge",
    "KeyValuePurge",
    "KeysPurged",
    "LogPurge",
    "Purged",
    "purge_executions",
    "purge_key_values",
    "purge_logs",
]
