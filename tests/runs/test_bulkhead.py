"""A tool with a limit of its own: its slow server keeps no more drivers busy than it has places."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import redis
from django.db import connection

from runs import driver
from runs.actions import executing
from runs.driver import SHORT_WAIT_S, drive
from runs.guards import Guard
from runs.interruptions import GuardRefused
from runs.models import Run
from runs.session import Session
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Result
from tests.runs.planner.provider import Conversation
from tools import execution, places
from tools.places import Place

DRIVERS = 3  # that there are for all runs together
AGAIN_MS = 50
TRUE_PAUSE_MS = places.TRY_AGAIN_MS


class Door(BaseHTTPRequestHandler):
    """Lets nobody out before the gate is opened."""

    server: SlowServer

    def do_GET(self) -> None:
        slow = self.server.slow
        slow.come_in()
        slow.gate.wait(60)
        slow.go_out()
        body = b'{"found": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class SlowServer(ThreadingHTTPServer):
    daemon_threads = True
    slow: Slow


@dataclass
class Slow:
    """A real server that answers nobody until its gate is opened; ``most`` were inside at a time."""

    url: str = ""
    inside: int = 0
    most: int = 0
    came: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def come_in(self) -> None:
        with self._changed:
            self.inside, self.came = self.inside + 1, self.came + 1
            self.most = max(self.most, self.inside)
            self._changed.notify_all()

    def go_out(self) -> None:
        with self._changed:
            self.inside -= 1

    def wait_for(self, number: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.inside >= number, 60)


@pytest.fixture
def slow() -> Iterator[Slow]:
    made, server = Slow(), SlowServer(("127.0.0.1", 0), Door)
    server.slow = made
    threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}/"
    yield made
    made.gate.set()
    server.shutdown()
    server.server_close()


def add_slow(company: Company, slow: Slow, **changes: Any) -> None:  # Any: fields of several types
    config = {"method": "GET", "url": slow.url, "allow_private": True}
    company.add_tool("slow", effect="read", adapter="http", config=config, timeout_s=50, **changes)


def answer(conversation: Conversation) -> None:
    """Propose the tool that the user names, and end in the second turn."""
    port = conversation.client_address[1]
    asked = next(each for each in reversed(conversation.server.provider.received) if each.client_port == port)
    messages = asked.body["messages"]
    if any(message["role"] == "assistant" for message in messages):
        says("Done.")(conversation)
    else:
        is_slow = "slowly" in str([m["content"] for m in messages if m["role"] == "user"])
        proposes(("slow" if is_slow else "look_up", ORDER))(conversation)


class Crew:
    """So many drivers, each of which takes the next run as soon as it is done with the one before."""

    def __init__(self, runs: list[Run]) -> None:
        self._left = list(reversed(runs))
        self._threads = [threading.Thread(target=self._work) for _ in range(DRIVERS)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        try:
            while self._left:
                run = self._left.pop()
                while drive(run.pk):
                    pass
        finally:
            connection.close()


def states(runs: list[Run]) -> list[str]:
    return [Run.objects.get(pk=run.pk).state for run in runs]


def start(company: Company, slow_runs: int, quick_runs: int) -> tuple[list[Run], list[Run]]:
    company.play(answer)
    slowly = [company.start("Please do it slowly.") for _ in range(slow_runs)]
    return slowly, [company.start("Please do it.") for _ in range(quick_runs)]


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "TRY_AGAIN_MS", AGAIN_MS)
    monkeypatch.setattr(driver, "SHORT_WAIT_S", 0)  # which is below the true pause


def test_runs_with_other_tools_go_on_while_a_server_hangs(company: Company, slow: Slow) -> None:
    company.add_reads()
    add_slow(company, slow, max_concurrency=1)
    slowly, quickly = start(company, 6, 8)
    crew = Crew(slowly + quickly)  # the slow ones first: twice as many as there are drivers
    slow.wait_for(1)
    wait_until(lambda: states(quickly) == ["completed"] * 8)
    assert (slow.inside, slow.came) == (1, 1), "nobody has been answered yet"

    slow.gate.set()
    crew.join()
    drive_until_done(slowly)
    assert (slow.most, slow.came) == (1, 6)
    assert {code for run in slowly for _, code in company.states(run)} == {"ok"}
    deferred = [facts for run in slowly for facts in company.facts(run, "call.deferred")]
    assert len(deferred) >= 5
    assert {(facts["code"], facts["local_place"]) for facts in deferred} == {("no_place", False)}
    attempts = [facts for run in slowly for facts in company.facts(run, "attempt.started")]
    assert [facts["local_place"] for facts in attempts] == [False] * 6


def test_without_a_limit_a_server_that_hangs_takes_all_drivers(company: Company, slow: Slow) -> None:
    """The mutant: the wrong thing that the limit is there for."""
    company.add_reads()
    add_slow(company, slow)
    slowly, quickly = start(company, DRIVERS, 2)
    crew = Crew(slowly + quickly)
    slow.wait_for(DRIVERS)
    assert states(quickly) == ["queued"] * 2, "there is no driver left for them"
    slow.gate.set()
    crew.join()
    assert "local_place" not in company.facts(slowly[0], "attempt.started")[0]


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError("it has not come to hold")


def drive_until_done(runs: list[Run]) -> None:
    def drive_once() -> bool:
        for run in runs:
            drive(run.pk)
        return states(runs) == ["completed"] * len(runs)

    wait_until(drive_once)


def test_a_place_is_left_however_the_call_ends(company: Company, worker_redis: redis.Redis) -> None:
    def explode(_: object) -> Result:
        raise RuntimeError("out of order")

    for mishap in (explode, lambda do: do()):
        company.world.mishaps.append(mishap)
    company.add_tool("refund", max_concurrency=1, idempotency="none")
    runs = [company.run(proposes(("refund", ORDER)), says("Done.")) for _ in range(2)]
    assert company.states(runs[1]) == [("succeeded", "ok")]
    assert list(worker_redis.scan_iter("*places*")) == []


def test_a_call_that_is_not_made_after_all_leaves_its_place(
    company: Company, monkeypatch: pytest.MonkeyPatch, worker_redis: redis.Redis
) -> None:
    company.add_tool(
        "refund", max_concurrency=1, grant="ALLOW_WITH_CAPS", grant_caps=[{"per": "day", "count": 1}]
    )
    left: list[object] = []
    leave = execution.leave_place

    def watch(place: Place | None) -> None:
        left.append(place)
        leave(place)

    monkeypatch.setattr(executing, "leave_place", watch)
    commit = Session.commit
    refused: list[bool] = []

    def refuse_once(session: Session, guards: Sequence[Guard] = ()) -> None:
        if guards and not refused:
            refused.append(True)
            raise GuardRefused("cap_exceeded")
        commit(session, guards)

    monkeypatch.setattr(Session, "commit", refuse_once)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [("succeeded", "ok")], "it finds the place that it left itself"
    assert len(left) == 1
    assert list(worker_redis.scan_iter("*places*")) == []


def test_tools_without_a_limit_ask_nobody(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object) -> None:
        raise AssertionError("a round trip for nothing")

    monkeypatch.setattr(places.Places, "take", ask)
    company.add_tool("refund")
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [("succeeded", "ok")]


def test_who_waits_for_a_place_keeps_no_driver() -> None:
    assert TRUE_PAUSE_MS / 1000 > SHORT_WAIT_S


def test_without_redis_the_trace_says_who_counted(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise redis.ConnectionError("nobody there")

    monkeypatch.setattr(places.SharedPlaces, "take", fail)
    monkeypatch.setattr(execution, "_places", {})
    company.add_tool("refund", max_concurrency=1)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [("succeeded", "ok")]
    assert company.facts(run, "attempt.started")[0]["local_place"] is True
