"""jq programs over plain data."""

from batuta.expr.jq.program import JqError, run_jq

__all__ = ["JqError", "run_jq"]
