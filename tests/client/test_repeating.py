"""What is sent again, when, and under which key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from agentops.client import ApiError
from agentops.client.calls import Call, pause_before_next
from tests.client.halves import HALVES, Half

READ = Call("GET", "/x")
WRITE = Call("POST", "/x", key="k")
BARE = Call("POST", "/x")  # without a key: nobody knows what sending it twice does


def refusal(status: int, code: str = "some_code", after: float | None = None) -> ApiError:
    error = ApiError(status, code, "no", [])
    error.retry_after = after
    return error


@pytest.mark.parametrize(
    "lost", [httpx2.ReadError("cut"), httpx2.ReadTimeout("slow"), refusal(502), refusal(503)]
)
def test_a_lost_answer_is_asked_for_again_only_if_that_has_no_second_effect(lost: Any) -> None:
    assert pause_before_next(READ, 1, lost) is not None
    assert pause_before_next(WRITE, 1, lost) is not None
    assert pause_before_next(BARE, 1, lost) is None


@pytest.mark.parametrize("call", [READ, WRITE, BARE])
def test_what_never_arrived_or_was_too_early_is_sent_again(call: Call) -> None:
    assert pause_before_next(call, 1, httpx2.ConnectError("refused")) is not None
    assert pause_before_next(call, 1, refusal(429)) is not None
    assert pause_before_next(call, 1, refusal(429, after=7)) == 7
    assert pause_before_next(call, 1, refusal(409, "idempotency_key_in_flight")) is not None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_a_refusal_stands(status: int) -> None:
    assert all(pause_before_next(call, 1, refusal(status)) is None for call in (READ, WRITE, BARE))


def test_nobody_waits_for_an_hour() -> None:
    assert pause_before_next(READ, 1, refusal(429, after=3600)) is None


def test_pauses_grow_and_differ() -> None:
    pauses = [
        pause_before_next(READ, failures, refusal(429)) or 0 for failures in range(6) for _ in range(20)
    ]
    assert max(pauses[:20]) < min(pauses[-20:])
    assert len(set(pauses)) > 60


def test_an_address_is_quoted() -> None:
    assert Call.path("/runs/{run_id}/calls/{call}", "a/../b?c", 7) == "/runs/a%2F..%2Fb%3Fc/calls/7"


Answers = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(params=HALVES, ids=lambda half: half.__name__)
def half(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Half]:
    """Provide a half of the client that talks to a function."""
    for module in ("waiting", "blocking"):
        monkeypatch.setattr(f"agentops.client.{module}.pause_before_next", impatient)
    return lambda answers, **more: request.param(
        "https://x.test", "aok_1", httpx2.MockTransport(answers), **more
    )


def impatient(*given: Any) -> float | None:
    return None if pause_before_next(*given) is None else 0.0


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    body = {"code": code, "detail": "Not now.", "reasons": [{"code": "r"}]}
    return httpx2.Response(status, json=body, headers=headers)


def test_a_write_is_sent_again_under_its_key(half: Callable[..., Half]) -> None:
    seen: list[httpx2.Request] = []

    def answers(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        if len(seen) == 1:
            raise httpx2.ReadError("cut", request=request)
        return problem(503, "away") if len(seen) == 2 else httpx2.Response(202, json={"id": "r"})

    assert half(answers).call("cancel_run", "r", reason="Enough.") == {"id": "r"}
    assert len(seen) == 3
    assert len({request.headers["Idempotency-Key"] for request in seen}) == 1
    assert {request.url.path for request in seen} == {"/api/v1/runs/r/cancel"}
    assert seen[0].headers["Authorization"] == "Bearer aok_1"


def test_each_write_has_a_key_of_its_own_unless_it_is_given_one(half: Callable[..., Half]) -> None:
    keys: list[str] = []

    def answers(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers["Idempotency-Key"])
        return httpx2.Response(202, json={})

    client = half(answers)
    for _ in range(2):
        client.call("pause_run", "r", reason="Wait.")
    client.call("pause_run", "r", reason="Wait.", idempotency_key="mine")
    assert keys[2] == "mine"
    assert len(set(keys)) == 3


def test_a_refusal_is_an_error_with_its_code(half: Callable[..., Half]) -> None:
    client = half(lambda _: problem(409, "run_ended", **{"Retry-After": "3"}))
    with pytest.raises(ApiError, match=r"409 run_ended: Not now\.") as refused:
        client.call("cancel_run", "r", reason="Enough.")
    assert (refused.value.code, refused.value.reasons, refused.value.retry_after) == (
        "run_ended",
        [{"code": "r"}],
        3,
    )


def test_what_is_no_problem_document_is_an_error_too(half: Callable[..., Half]) -> None:
    client = half(lambda _: httpx2.Response(500, text="<h1>proxy</h1>"))
    with pytest.raises(ApiError, match="500 no_problem_document: <h1>proxy"):
        client.call("get_run", "r")


def test_it_gives_up_in_the_end(half: Callable[..., Half]) -> None:
    seen: list[str] = []

    def answers(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.path)
        raise httpx2.ConnectError("refused", request=request)

    with pytest.raises(httpx2.ConnectError):
        half(answers, retries=2).call("get_run", "r")
    assert len(seen) == 3


def test_the_credential_of_the_moment_is_sent(half: Callable[..., Half]) -> None:
    tokens = iter(["one", "two"])
    seen: list[str] = []

    def answers(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.headers["Authorization"])
        return httpx2.Response(200, json={})

    client = half(answers)
    client.given = (client.given[0], lambda: next(tokens))
    client.call("get_run", "r")
    client.call("get_run", "r")
    assert seen == ["Bearer one", "Bearer two"]


def test_pages_are_turned(half: Callable[..., Half]) -> None:
    asked: list[dict[str, str]] = []

    def answers(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.url.params))
        number = int(asked[-1].get("cursor", 0))
        body = {"data": [number], "has_more": number < 2, "next_cursor": str(number + 1)}
        return httpx2.Response(200, json=body)

    assert half(answers).listed("pages", "list_runs", state="completed", held=True) == [0, 1, 2]
    assert asked[1] == {"state": "completed", "held": "true", "cursor": "1"}
