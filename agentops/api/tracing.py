"""One W3C trace through everything: what came in is continued, what did not come in is begun here.

Source: W3C Trace Context, https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

_VERSION_00 = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The span of this request; ids are lower-case hex."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def traceparent(self) -> str:
        """Return the header that names this span as parent of what follows."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def continue_trace(header: str | None) -> TraceContext:
    """Return a new span in the caller's trace, or in a new trace when the header is missing or invalid."""
    trace_id, flags = _read(header or "") or (secrets.token_hex(16), "00")
    return TraceContext(trace_id, secrets.token_hex(8), flags)


def _read(header: str) -> tuple[str, str] | None:
    """Return trace id and flags of a valid header.

    An invalid one is ignored, never an error (section 3.2). Versions to come may append fields, version 00
    may not.
    """
    found = _VERSION_00.fullmatch(header)
    if not found:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(parent_id, 16):
        return None
    return trace_id, flags
