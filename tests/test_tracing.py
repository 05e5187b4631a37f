from __future__ import annotations

import re

import pytest

from agentops.tracing import continue_trace, is_tracestate

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
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", context.traceparent)


@pytest.mark.parametrize(
    ("given", "passed_on"),
    [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("fd", "01"), ("fc", "00")],
)
def test_sampled_and_random_are_the_callers_and_other_flags_are_not_passed_on(
    given: str, passed_on: str
) -> None:
    assert continue_trace(f"00-{TRACE}-{SPAN}-{given}").traceparent.endswith(f"-{passed_on}")


@pytest.mark.parametrize(
    "state",
    [
        "",
        "congo=t61rcWkgMzE",
        "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
        "fw529a3039@dt=FfD;x:y ~!\"#$%&'()*+-./<>?@[]^`{|}",
        "0vendor/a_b-c*d= padded",
        "a=1 ,\t,b=2",
        ",".join(f"k{number}=v" for number in range(32)),
        f"k={'v' * 256}",
        f"{'k' * 256}=v",
    ],
)
def test_a_tracestate_is_passed_on_as_it_is(state: str) -> None:
    assert is_tracestate(state)
    assert continue_trace(f"00-{TRACE}-{SPAN}-00", state).state == state


def test_blanks_around_a_tracestate_are_no_part_of_it() -> None:
    assert continue_trace(f"00-{TRACE}-{SPAN}-01", " a=1\t").state == "a=1"


@pytest.mark.parametrize(
    "state",
    [
        "congo",
        "=v",
        "k=",
        "k=a=b",
        "Key=v",
        "k =v",
        "k=v,k=w",
        "k=v\r\nX-Evil: 1",
        "k=v\n",
        "k=\tv",
        "k=größe",
        "k=\x7f",
        f"k={'v' * 257}",
        f"{'k' * 257}=v",
        ",".join(f"k{number}=v" for number in range(33)),
        ",".join(f"k{number}={'v' * 124}" for number in range(4)) + ",,",  # 513 characters
    ],
)
def test_a_malformed_or_long_tracestate_is_dropped_and_the_trace_goes_on(state: str) -> None:
    context = continue_trace(f"00-{TRACE}-{SPAN}-01", state)
    assert (context.trace_id, context.state) == (TRACE, "")


def test_512_characters_of_tracestate_are_passed_on() -> None:
    state = ",".join(f"k{number}={'v' * 124}" for number in range(4)) + "v"
    assert len(state) == 512
    assert continue_trace(f"00-{TRACE}-{SPAN}-01", state).state == state


def test_a_tracestate_without_its_trace_is_dropped() -> None:
    assert continue_trace("nonsense", "a=1").state == ""


def test_two_requests_are_two_spans() -> None:
    assert continue_trace(None).span_id != continue_trace(None).span_id
