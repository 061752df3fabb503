"""Takes the lines that a command writes: to the log, or to the outputs and metrics that they speak of."""

import codecs
from collections.abc import Callable
from typing import Any

from batuta.plugins.script.stdout import ScriptMessage, parse_line
from batuta.sdk import RunContext

_MAX_LINE_CHARS = 64 * 1024 * 1024
"""A longer line is cut, so that output without line breaks cannot fill the memory."""


class OutputSink:
    """stdout goes to INFO, stderr to ERROR; lines of the protocol go to `variables`, metrics and log (06 §1.3, §2)."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx
        self.variables: dict[str, Any] = {}

    def out(self, line: str) -> None:
        self._take(line, "INFO")

    def err(self, line: str) -> None:
        self._take(line, "ERROR")

    def _take(self, line: str, level: str) -> None:
        try:
            message = parse_line(line)
        except ValueError as error:
            self._ctx.log.warn(f"Invalid outputs '{line}': {error}")
            return
        if message is None:
            self._ctx.log.write(level, line)
        else:
            self._apply(message)

    def _apply(self, message: ScriptMessage) -> None:
        self.variables.update(message.outputs)
        metrics = self._ctx.metrics
        for metric in message.metrics:
            match metric.kind:
                case "counter":
                    metrics.counter(metric.name, metric.value, metric.tags)
                case "timer":
                    metrics.timer(metric.name, metric.value, metric.tags)
                case _:
                    metrics.gauge(metric.name, metric.value, metric.tags)
        for level, text in message.logs:
            self._ctx.log.write(level, text)


class LineCutter:
    """Cuts a stream of UTF-8 bytes into lines; the last one may lack its line break."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._rest: list[str] = []
        self._chars = 0

    def feed(self, data: bytes) -> None:
        text = self._decode(data)
        if "\n" not in text:
            self._keep(text)
            return
        *lines, rest = text.split("\n")
        lines[0] = "".join([*self._rest, lines[0]])
        self._rest, self._chars = [], 0
        for line in lines:
            self._take(line.removesuffix("\r"))
        self._keep(rest)

    def close(self) -> None:
        rest = "".join([*self._rest, self._decode(b"", True)])
        self._rest, self._chars = [], 0
        if rest:
            self._take(rest.removesuffix("\r"))

    def _keep(self, text: str) -> None:
        if not text:
            return
        self._rest.append(text)
        self._chars += len(text)
        if self._chars > _MAX_LINE_CHARS:
            self.close()
