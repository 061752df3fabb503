"""What an attempt needs from the server, independent of how far away that is.

Operations that the server answers (arguments and answers are plain JSON data, bytes as base64 text):

    secret        {key, namespace}                      text
    kv            {key, namespace, errorOnMissing}      value           look-up of `kv()`: parents included when no namespace
    read          {path, namespace}                     text
    file_exists   {path, namespace}                     boolean
    file_size     {path, namespace}                     integer
    http          {uri, method, query, body, contentType, headers, options, accept}   decoded body
    error_logs    {}                                    list of maps
    parse_yaml    {text}                                value
    encrypt       {text}                                {value, type}, or the text where no key is set

    kv.get        {namespace, key}                      KeyValue as a map, or null
    kv.set        {namespace, entry, overwrite}         null            fault `KeyError` when it exists
    kv.delete     {namespace, key}                      boolean
    kv.keys       {namespace}                           list of text
    files.list    {namespace}                           list of paths
    files.read    {namespace, path}                     base64
    files.write   {namespace, path, content: base64}    URI
    files.delete  {namespace, path}                     boolean

    logs.read          {executionId, namespace, flowId, level, taskIds, page}     list of entries; empty after the last page
    logs.purge         {end, start, namespace, flowId, executionId, levels}       number of entries
    executions.count   {namespace, flowId, states, start, end}                    number of executions
    executions.resume  {executionId, namespace, flowId, inputs}                   null
    executions.purge   {end, start, namespace, flowId, states, executions, logs, metrics, files, batch}   map of numbers
    kv.purge           {namespaces, namespace_pattern, children, key_pattern, versions, expired_only, before, keep}
                                                                                  {namespaces, size}
    triggers.toggle    {namespace, flowId, trigger, enabled}                      null

Dates are instants. The first group is asked while a template is being rendered, so
its answer is awaited by a thread: those calls come through `look_up`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from batuta.expr.errors import EvaluationError, ExpressionError, RuntimeFaultError
from batuta.model.instant import Instant
from batuta.sdk.errors import PluginError, TaskError
from batuta.server.protocol import Fault, Job, LogLine, MetricLine


class Gateway(Protocol):
    """Implemented by the server for attempts on its own event loop, and by the worker process over its socket."""

    def started(self, job: Job, at: Instant) -> None: ...

    def log(self, job: Job, lines: Sequence[LogLine]) -> None:
        """Take log lines, in order. Never waits: see `drain`."""
        ...

    async def drain(self) -> None:
        """Return when so few lines are under way that more are welcome."""
        ...

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None: ...

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Raises the error that the server's fault stands for."""
        ...

    def look_up(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        """As `ask`, and the calling thread waits."""
        ...


_ERRORS: Mapping[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (
        EvaluationError,
        FileExistsError,
        FileNotFoundError,
        KeyError,
        PermissionError,
        PluginError,
        RuntimeFaultError,
        TaskError,
        ValueError,
    )
}


def fault_of(error: Exception) -> Fault:
    """The wire form of an error; of one that callers cannot tell apart only the text remains."""
    for kind in type(error).__mro__:
        if _ERRORS.get(kind.__name__) is kind:
            text = error.detail if isinstance(error, ExpressionError) else text_of(error)
            return Fault(kind=kind.__name__, message=text)
    return Fault(kind=PluginError.__name__, message=text_of(error))


def error_of(fault: Fault) -> Exception:
    return _ERRORS.get(fault.kind, PluginError)(fault.message)


def text_of(error: BaseException) -> str:
    """What a person reads of an error."""
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return str(error) or type(error).__name__
