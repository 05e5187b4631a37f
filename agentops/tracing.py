"""One W3C trace through everything: what came in is continued, what did not come in is begun here.

Source: W3C Trace Context, https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

_VERSION_00 = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
# A key, and a value of printable ASCII that does not end in a space.
_ENTRY = re.compile(r"([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]")
_BLANKS = " \t"
_MOST_ENTRIES = 32
_KNOWN_FLAGS = 0x03  # sampled, and, of level 2, random
SAMPLED = "01"
STATE_LIMIT = 512  # characters; what every participant is asked to pass on at least


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The span of this request; ids and flags are lower-case hex. `state` is the caller's tracestate, or empty.

    `parent_id` is the caller's span, or empty where the trace begins here.
    """

    trace_id: str
    span_id: str
    flags: str
    state: str = ""
    parent_id: str = ""

    @property
    def traceparent(self) -> str:
        """Return the header that names this span as parent of what follows."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"

    @property
    def is_sampled(self) -> bool:
        """Whether whoever began the trace wants it recorded."""
        return bool(int(self.flags, 16) & int(SAMPLED, 16))


def continue_trace(traceparent: str | None, tracestate: str | None = None) -> TraceContext:
    """Return a new span in the caller's trace, or in a new, sampled one when the traceparent is missing or invalid."""
    span_id = secrets.token_hex(8)
    found = _read(traceparent or "")
    if found is None:  # a tracestate says nothing about another trace
        return TraceContext(secrets.token_hex(16), span_id, SAMPLED)
    trace_id, parent_id, flags = found
    state = (tracestate or "").strip(_BLANKS)
    return TraceContext(trace_id, span_id, flags, state if is_tracestate(state) else "", parent_id)


def derive_span_id(*parts: object) -> str:
    """Return the span id of something that has a name of its own: told again, it is the same span."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()
    return next(found for found in (digest[:16], digest[16:32], SAMPLED.zfill(16)) if int(found, 16))


def is_tracestate(text: str) -> bool:
    """Return whether a text is a list of vendors' entries that can be passed on as it stands (section 3.3)."""
    entries = [entry.strip(_BLANKS) for entry in text.split(",")]
    found = [_ENTRY.fullmatch(entry) for entry in entries if entry]
    keys = {entry[1] for entry in found if entry}
    # A key that is missing in the set was no entry, or came twice.
    return len(text) <= STATE_LIMIT and len(entries) <= _MOST_ENTRIES and len(keys) == len(found)


def _read(header: str) -> tuple[str, str, str] | None:
    """Return trace id, span id and flags of a valid header; flags without a meaning yet are passed on to nobody.

    An invalid one is ignored, never an error (section 3.2). Versions to come may append fields, version 00
    may not.
    """
    found = _VERSION_00.fullmatch(header)
    if not found:
        return None
    version, trace_id, parent_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(parent_id, 16):
        return None
    return trace_id, parent_id, f"{int(flags, 16) & _KNOWN_FLAGS:02x}"
