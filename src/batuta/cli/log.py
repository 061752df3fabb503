"""The server's own log: one line for each event, on standard error."""

import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
}


def configure_logging(level: str) -> None:
    """Once for each process; `level` is one of LEVELS."""
    threshold = LEVELS[level.upper()]
    structlog = _structlog()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_StandardError,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=max(threshold, logging.WARNING))


class _StandardError:
    """Writes to what standard error is at that moment."""

    def __init__(self, *_: Any) -> None:
        pass

    def write(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = write


def get_logger() -> Any:
    """The logger of the server, once logging is configured."""
    return _structlog().get_logger("server")


def _structlog() -> "ModuleType":
    """structlog wants rich only to colour traces; importing that takes a third of the start of a server."""
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    try:
        import structlog
    finally:
        if hidden:
            del sys.modules["rich"]
    return structlog
