"""Logs: one JSON line an event on standard error, colours on a terminal; no secret and no personal datum in any.

Every line has time, level, event, logger and order (null where it is about no order). What the standard library's
loggers say goes the same way.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from canonical.errors import ConfigError
from hub import clock
from hub.masking import mask_fields

_QUIET = ("httpx", "httpcore", "aiohttp", "alembic", "uvicorn", "asyncio", "sqlalchemy")
"""Loggers of libraries: only their warnings. Some of them write addresses with tokens in them at info."""
_FIRST = ("time", "level", "event", "logger", "order")


def configure(json: bool, level: str = "info", stream: TextIO | None = None) -> None:
    """Set up logging for this process. Raises ConfigError for an unknown level."""
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ConfigError([f"{level!r} is not a log level; one of debug, info, warning, error"])
    sink = stream or sys.stderr
    structlog.configure(
        processors=_chain(json, sink),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_Lines(sink),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Routed()]
    root.setLevel(threshold)
    for name in _QUIET:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(True)


def _chain(json: bool, sink: TextIO) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _stamp,
        structlog.processors.format_exc_info,
        _mask,
        _as_json if json else _console(sink),
    ]


def _stamp(logger: Any, _method: str, event: EventDict) -> EventDict:
    event["time"] = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event["logger"] = getattr(logger, "name", "")
    event.setdefault("order", None)
    return event


def _mask(_logger: Any, _method: str, event: EventDict) -> Mapping[str, Any]:
    return mask_fields(event)


def _as_json(_logger: Any, _method: str, event: EventDict) -> str:
    line = {name: event[name] for name in _FIRST} | dict(event)
    try:
        return orjson.dumps(line, default=str).decode()
    except (TypeError, ValueError):  # a lone surrogate, an integer beyond 64 bits, a key that is no text
        plain = {str(k): repr(v) for k, v in line.items()}
        return orjson.dumps({k: v.encode("utf-8", "replace").decode() for k, v in plain.items()}).decode()


def _console(sink: TextIO) -> Processor:
    render = structlog.dev.ConsoleRenderer(
        colors=sink.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="time"
    )

    def show(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        if event.get("order") is None:
            event.pop("order", None)
        return render(logger, method, event)

    return show


class _Lines:
    """Makes loggers that write lines and know their names."""

    def __init__(self, sink: TextIO) -> None:
        self._sink = sink

    def __call__(self, *names: Any) -> Any:
        return _Line(self._sink, str(names[0]) if names else "")


class _Line:
    """Writes each message as one line, whole, whatever its level."""

    def __init__(self, sink: TextIO, name: str) -> None:
        self._sink, self.name = sink, name

    def msg(self, message: str) -> None:
        self._sink.write(message + "\n")
        self._sink.flush()

    debug = info = warning = error = critical = exception = log = msg


class _Routed(logging.Handler):
    """What the standard library's loggers say, as events."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = re.sub(r"\s*\n\s*", " ", record.getMessage()).strip()
        except (TypeError, ValueError):  # arguments that do not fit the message
            text = str(record.msg)
        logger = structlog.get_logger(record.name)
        logger.log(record.levelno, text, exc_info=record.exc_info or None)
