"""jq programs over plain data: the language of jq 1.6, evaluated in Python.

An own evaluator, because a program that runs without end inside a C library cannot be stopped, and a flow is
not trusted with the process that evaluates it. There is no access to the environment, other inputs, files or
modules, and every program has a budget of steps.
"""

from batuta.expr.jq.errors import JqError
from batuta.expr.jq.program import run_jq

__all__ = ["JqError", "run_jq"]
