"""Log lines that say of which trace they are: as text, or as one JSON object each.

Whoever works for a run or answers a request does so within ``in_trace``; what is logged meanwhile has its id.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_trace: ContextVar[str] = ContextVar("trace", default="")


@contextmanager
def in_trace(trace_id: str) -> Iterator[None]:
    """Have what is logged in this block, and in contexts that are copied from it, say of which trace it is."""
    token = _trace.set(trace_id)
    try:
        yield
    finally:
        _trace.reset(token)


class TraceFilter(logging.Filter):
    """Gives every record its trace; lets all pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id, empty outside of any trace."""
        record.trace_id = _trace.get()
        return True


class JsonFormatter(logging.Formatter):
    """One line of JSON per record: time in UTC, level, logger, message, trace_id, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; what cannot be shown in UTF-8 is escaped."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "trace_id": getattr(record, "trace_id", ""),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
