from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg
import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice

from agentops import database
from agentops.api import head_watch, sse
from agentops.ledger.entries import Draft
from agentops.ledger.store import erase_contents, record
from identities.models import ApiKey, Team, User
from runs.models import Run
from tests.api.conftest import Callers
from tests.api.live import serve_api
from tests.api.test_authentication import signed_in
from tests.cast import Cast
from tests.factories import RunFactory, give_second_factor


@pytest.fixture
def run(cast: Cast) -> Run:
    made: Run = RunFactory.create(agent_version__identity=cast.agent, application=cast.application)
    append(made, "run.started", content={"message": "Refund me."})
    return made


def append(run: Run, kind: str, facts: dict[str, Any] | None = None, content: Any = None) -> None:
    with transaction.atomic():
        record(run.pk, "run", Draft(kind, timezone.now(), facts or {}, content))
        if kind == "run.completed":
            Run.objects.filter(pk=run.pk).update(state="completed", ended_at=timezone.now())


def test_events_are_listed_oldest_first(callers: Callers, run: Run) -> None:
    append(run, "model.requested", {"step": 1})
    page = callers.app.get(f"/runs/{run.pk}/events").body
    assert [event["seq"] for event in page["data"]] == [1, 2]
    assert page["data"][0] | {"at": 0} == {
        "seq": 1,
        "kind": "run.started",
        "at": 0,
        "facts": {},
        "content": {"message": "Refund me."},
    }


def test_pages_and_after(callers: Callers, run: Run) -> None:
    for step in range(1, 5):
        append(run, "model.requested", {"step": step})
    first = callers.app.get(f"/runs/{run.pk}/events?limit=3").body
    rest = callers.app.get(f"/runs/{run.pk}/events?limit=3&cursor={first['next_cursor']}").body
    assert [event["seq"] for event in first["data"] + rest["data"]] == [1, 2, 3, 4, 5]
    assert (rest["has_more"], rest["next_cursor"]) == (False, None)
    later = callers.app.get(f"/runs/{run.pk}/events?after=4").body
    assert [event["seq"] for event in later["data"]] == [5]


@pytest.mark.parametrize("after", ["-1", "x", "2147483648", "1.5"])
def test_a_place_that_is_none_is_refused(callers: Callers, run: Run, after: str) -> None:
    for accept in ("application/json", "text/event-stream"):
        refused = callers.app.get(f"/runs/{run.pk}/events?after={after}", Accept=accept)
        assert (refused.status, refused.code) == (400, "invalid_parameter")


def test_erased_content_is_gone(callers: Callers, run: Run) -> None:
    with connection.cursor() as cursor:
        erase_contents(cursor, run.pk)
    assert callers.app.get(f"/runs/{run.pk}/events").body["data"][0]["content"] is None


def test_a_stream_that_is_refused_is_a_problem_not_a_stream(callers: Callers, run: Run) -> None:
    assert callers.charlie.get(f"/runs/{run.pk}/events", Accept="text/event-stream").code == "unknown_run"
    assert callers.stranger.get(f"/runs/{run.pk}/events", Accept="text/event-stream").status == 401
    beyond = callers.app.get(f"/runs/{run.pk}/events", Accept="text/event-stream", Last_Event_ID="7")
    assert (beyond.status, beyond.code) == (400, "invalid_parameter")


def test_an_ended_run_tells_a_browser_not_to_come_back(callers: Callers, run: Run) -> None:
    append(run, "run.completed")
    append(run, "call.failed", {"step": 1, "call": 1})  # a late outcome
    for seen in ("2", "3"):
        answer = callers.app.get(f"/runs/{run.pk}/events", Accept="text/event-stream", Last_Event_ID=seen)
        assert (answer.status, answer.body) == (204, None)


# --- live ------------------------------------------------------------------------------------------------


@dataclass
class Listener:
    """One open event stream."""

    response: httpx2.Response
    lines: Iterator[str]

    def read_frame(self) -> dict[str, str]:
        """Return the fields of the next frame; a comment is one with the name ''."""
        fields: dict[str, str] = {}
        for line in self.lines:
            if not line:
                if fields:
                    return fields
                continue
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        return fields

    def read_rest(self) -> list[str]:
        """Return the kinds of all events until the stream ends."""
        frames = iter(self.read_frame, {})
        return [frame["event"] for frame in frames if "event" in frame]


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    with serve_api() as served:
        yield served
    connection.close()


@pytest.fixture
def listen(address: str, callers: Callers, run: Run) -> Iterator[Any]:
    with ExitStack() as stack:

        def open_stream(**headers: str) -> Listener:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            client = stack.enter_context(httpx2.Client(timeout=30))
            response = stack.enter_context(
                client.stream(
                    "GET",
                    f"{address}/api/v1/runs/{run.pk}/events",
                    headers={
                        "Authorization": f"Bearer {callers.app.bearer}",
                        "Accept": "text/event-stream",
                        **named,
                    },
                )
            )
            return Listener(response, response.iter_lines())

        yield open_stream


def test_a_stream_gives_what_was_what_comes_and_ends_with_the_run(listen: Any, run: Run) -> None:
    append(run, "message.received", {"size": 3}, {"text": "line\nbreak \N{LINE SEPARATOR} ü"})
    listener: Listener = listen()
    assert listener.response.status_code == 200
    assert listener.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert listener.response.headers["X-Accel-Buffering"] == "no"
    assert listener.response.headers["Cache-Control"] == "no-store"
    assert listener.read_frame()["id"] == "1"
    second = listener.read_frame()
    assert (second["id"], second["event"]) == ("2", "message.received")
    assert json.loads(second["data"])["content"] == {"text": "line\nbreak \N{LINE SEPARATOR} ü"}
    append(run, "model.requested", {"step": 1})
    assert listener.read_frame()["event"] == "model.requested"
    append(run, "run.completed", {}, {"answer": "Done."})
    append(run, "call.failed", {"step": 1, "call": 1})
    assert listener.read_rest() == ["run.completed"]


def test_a_listener_goes_on_where_it_left_off(listen: Any, run: Run) -> None:
    append(run, "model.requested", {"step": 1})
    append(run, "run.completed")
    assert listen(Last_Event_ID="1").read_rest() == ["model.requested", "run.completed"]
    assert listen(Last_Event_ID="2").read_rest() == ["run.completed"]


def test_a_long_past_comes_whole(listen: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "BATCH", 3)
    for step in range(10):
        append(run, "model.requested", {"step": step})
    append(run, "run.completed")
    assert len(listen().read_rest()) == 12


def test_a_quiet_stream_is_kept_alive(listen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.05)
    listener: Listener = listen()
    assert listener.read_frame()["event"] == "run.started"
    assert [listener.read_frame() for _ in range(2)] == [{"": "keep-alive"}] * 2


def test_a_stream_is_silent_for_15_seconds_at_most() -> None:
    """What the document promises; proxies cut off what is silent for 30 or 60."""
    assert sse.KEEP_ALIVE_S == 15


def test_a_stream_ends_when_access_is_withdrawn(
    listen: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.05)
    listener: Listener = listen()
    assert listener.read_frame()["event"] == "run.started"
    ApiKey.objects.update(revoked_at=timezone.now())
    append(run, "model.requested", {"step": 1})
    assert "model.requested" not in listener.read_rest()


@pytest.mark.parametrize(
    "withdraw",
    [
        lambda: User.objects.update(is_staff=False),
        lambda: User.objects.update(is_active=False),
        lambda: User.objects.update(password="another"),
        lambda: Session.objects.all().delete(),
        lambda: TOTPDevice.objects.all().delete(),
        lambda: Team.members.through.objects.all().delete(),
    ],
    ids=["staff", "active", "password", "session", "second factor", "team"],
)
def test_a_stream_of_the_console_ends_when_access_is_withdrawn(
    listen: Any, cast: Cast, run: Run, monkeypatch: pytest.MonkeyPatch, withdraw: Callable[[], object]
) -> None:
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.05)
    session = signed_in(cast.bob, give_second_factor(cast.bob)).client.cookies["sessionid"].value
    listener: Listener = listen(Cookie=f"sessionid={session}", Authorization="")
    assert listener.read_frame()["event"] == "run.started"
    assert [listener.read_frame() for _ in range(2)] == [{"": "keep-alive"}] * 2
    withdraw()
    append(run, "run.completed")
    assert listener.read_rest() == []


def test_listeners_share_one_question_and_hold_no_connection(
    listen: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    original = head_watch._read_heads

    def count(streams: set[Any]) -> Any:
        asked.append(len(streams))
        return original(streams)

    monkeypatch.setattr(head_watch, "_read_heads", count)
    listeners: list[Listener] = [listen() for _ in range(20)]
    for listener in listeners:
        assert listener.read_frame()["event"] == "run.started"
    wait_until(lambda: len(asked) >= 2)
    assert set(asked) == {1}  # twenty listeners, one stream, one row asked for
    wait_until(lambda: count_lent_connections() <= 1)
    append(run, "run.completed")
    assert all("run.completed" in listener.read_rest() for listener in listeners)
    before = len(asked)
    time.sleep(head_watch.POLL_S * 3)
    assert len(asked) <= before + 1  # nobody listens, nobody asks


def test_a_database_that_fails_ends_the_stream_and_not_the_server(
    listen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = head_watch._read_heads
    failing = threading.Event()

    def fail(streams: set[Any]) -> Any:
        if failing.is_set():
            raise psycopg.OperationalError("gone")
        return original(streams)

    monkeypatch.setattr(head_watch, "_read_heads", fail)
    listener: Listener = listen()
    assert listener.read_frame()["event"] == "run.started"
    failing.set()
    assert listener.read_rest() == []
    failing.clear()
    assert listen().read_frame()["event"] == "run.started"


def count_lent_connections() -> int:
    """Return how many connections the process' two pools have lent; one of them is this test's own."""
    orm_pool: Any = connection.pool  # type: ignore[attr-defined]  # of PostgreSQL only
    stats = [pool.get_stats() for pool in (orm_pool, database.pool())]
    return sum(each["pool_size"] - each["pool_available"] for each in stats)


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _close_pool() -> Iterator[None]:
    yield
    database.close_pool()
