from __future__ import annotations

import re

import pytest

from agentops.api.tracing import continue_trace

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("header", [f"00-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01-what-comes-later"])
def test_the_callers_trace_is_continued_in_a_span_of_our_own(header: str) -> None:
    context = continue_trace(header)
    assert (context.trace_id, context.flags) == (TRACE, "01")
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", context.traceparent)
    assert context.span_id != SPAN


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_an_invalid_header_begins_a_new_trace(header: str | None) -> None:
    context = continue_trace(header)
    assert context.trace_id != TRACE
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", context.traceparent)


def test_two_requests_are_two_spans() -> None:
    assert continue_trace(None).span_id != continue_trace(None).span_id
