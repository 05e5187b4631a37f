"""When a wait ends, and what is made of streams that are silent, empty, or no streams at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from agentops.api.document import read_document
from agentops.client.rests import ENDED, FOR_THE_APPLICATION, RESTS, is_at_rest
from agentops.engine import events as e
from tests.client.halves import HALVES, Half


def test_its_words_are_the_platforms() -> None:
    assert set(ENDED) == set(e.ENDINGS.values())
    schemas = read_document()["components"]["schemas"]
    assert set(RESTS) <= set(schemas["EventKind"]["enum"])
    assert set(FOR_THE_APPLICATION) <= set(schemas["TypeEnum"]["enum"])


@pytest.mark.parametrize(
    ("state", "asked", "rests"),
    [
        ("in_progress", [], False),
        ("requires_action", ["approval"], False),
        ("requires_action", ["approval", "input"], True),
        ("requires_action", ["confirmation"], True),
        ("halted", [], True),
        ("expired", ["outcome"], True),
    ],
)
def test_a_wait_ends_with_the_run_or_where_the_application_is_asked(
    state: str, asked: list[str], rests: bool
) -> None:
    run: Any = {"state": state, "required_actions": [{"type": each} for each in asked]}
    assert is_at_rest(run, FOR_THE_APPLICATION) is rests


class Server:
    """A run whose stream says these things, one answer after another; it has ended when they are said."""

    def __init__(self, *streams: str | int) -> None:
        self.streams = list(streams)
        self.after: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.endswith("/events"):
            state = "in_progress" if self.streams else "completed"
            return httpx2.Response(200, json={"state": state, "required_actions": []})
        self.after.append(request.headers["Last-Event-ID"])
        said = self.streams.pop(0) if self.streams else 204
        if isinstance(said, int):
            return httpx2.Response(said)
        return httpx2.Response(200, text=said, headers={"Content-Type": "text/event-stream"})


def event(seq: int, kind: str = "call.allowed") -> str:
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps({'seq': seq, 'kind': kind})}\n\n"


Opens = Callable[..., Half]


@pytest.fixture(params=HALVES, ids=lambda half: half.__name__)
def half(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Opens:
    """Provide a half of the client that does not pause."""
    monkeypatch.setattr("agentops.client.calls.FIRST_PAUSE_S", 0.0)
    return lambda server, **more: request.param("https://x.test", "k", httpx2.MockTransport(server), **more)


def test_a_sign_of_life_is_enough_to_look_at_the_run_again(half: Opens) -> None:
    assert half(Server(": still here\n\n")).call("wait", "r")["state"] == "completed"


def test_what_says_nothing_of_rest_is_not_looked_at(half: Opens) -> None:
    server = Server(event(1), event(2, "run.completed"))
    assert half(server).call("wait", "r")["state"] == "completed"
    assert server.after == ["0", "1"]


def test_a_stream_that_ends_early_is_taken_up_behind_its_last_event(half: Opens) -> None:
    server = Server(event(1) + event(2), "", event(3))
    assert [each["seq"] for each in half(server).listed("follow", "r")] == [1, 2, 3]
    assert server.after == ["0", "2", "2", "3"]


def test_streams_that_say_nothing_are_given_up(half: Opens) -> None:
    with pytest.raises(httpx2.RemoteProtocolError, match="ended before the run did"):
        half(Server(*[""] * 9), retries=2).listed("follow", "r")


def test_a_refused_stream_is_an_error(half: Opens) -> None:
    with pytest.raises(Exception, match="403 no_problem_document"):
        half(Server(403)).listed("follow", "r")
