"""The caller's W3C Trace Context, from the request that starts a run to the model and to a tool, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runs.models import Run
from tests.api.caller import caller_of
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says
from tests.tools.execution import TRACESTATE
from tests.tools.rude_server import RudeServer, rude_server

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def server() -> Iterator[RudeServer]:
    with rude_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_seen(server: RudeServer) -> None:
    server.seen.clear()


def received(company: Company, server: RudeServer, **headers: str) -> list[tuple[str, str | None]]:
    """Start a run with these headers; return traceparent and tracestate of two model calls and one tool call."""
    config = {"method": "POST", "url": f"{server.url}/echo", "allow_private": True}
    company.add_tool("look_up", effect="read", adapter="http", config=config)
    company.publish()
    company.play(proposes(("look_up", ORDER)), says("Done."))
    caller = caller_of(company.cast, company.cast.application.service_account)
    task = {
        "agent": company.cast.agent.slug,
        "message": "Please help.",
        "principal": {"issuer": ISSUER, "subject": SUBJECT},
    }
    started = caller.post("/runs", task, key="k1", **headers)
    assert started.status == 201, started.content
    run = company.drive(Run.objects.get())
    assert run.state == "completed"
    requests = [asked.headers for asked in company.provider.received] + [seen.headers for seen in server.seen]
    return [(found["traceparent"], found.get("tracestate")) for found in requests]


def told(requests: list[tuple[str, str | None]]) -> set[tuple[str, str, str | None]]:
    """Return trace id, flags and state of requests that have each a span of its own."""
    parents = [parent.split("-") for parent, _ in requests]
    assert len({span for _, _, span, _ in parents} - {SPAN}) == 3
    return {(trace, flags, state) for (_, trace, _, flags), (_, state) in zip(parents, requests, strict=True)}


@pytest.mark.parametrize("flags", ["00", "01", "02", "03"])
def test_every_call_says_what_the_caller_said(company: Company, server: RudeServer, flags: str) -> None:
    requests = received(company, server, traceparent=f"00-{TRACE}-{SPAN}-{flags}", tracestate=TRACESTATE)
    assert told(requests) == {(TRACE, flags, TRACESTATE)}


def test_a_malformed_state_is_dropped_on_the_way(company: Company, server: RudeServer) -> None:
    requests = received(company, server, traceparent=f"00-{TRACE}-{SPAN}-00", tracestate="congo")
    assert told(requests) == {(TRACE, "00", None)}


@pytest.mark.parametrize("parent", [{}, {"traceparent": f"00-{TRACE}-{SPAN}-zz"}])
def test_without_a_valid_parent_a_new_sampled_trace_begins(
    company: Company, server: RudeServer, parent: dict[str, str]
) -> None:
    requests = received(company, server, **parent, tracestate=TRACESTATE)
    assert told(requests) == {(Run.objects.get().trace_id, "01", None)}
    assert Run.objects.get().trace_id != TRACE
