"""What an answer means: whether there was an effect, and whether asking again may help."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.adapters.http.calls import PATIENCE_S, call_to, verdict
from tests.tools.rude_server import RudeServer
from tools.adapters.http import HttpAdapter, wire
from tools.adapters.http.answers import judge
from tools.execution import read_back
from tools.outcomes import DETAIL_LIMIT, breaker_verdict

# What is seen, and what it means for a read and for an effect: status, retryable. Then code and breaker.
MISBEHAVIOUR = [
    # path, read, effect, code, counts
    ("drop", ("failed", True), ("unknown", True), "connection_lost", True),
    ("garbled", ("failed", True), ("unknown", True), "connection_lost", True),
    ("truncated", ("failed", True), ("unknown", True), "connection_lost", True),
    ("html", ("failed", True), ("unknown", True), "bad_output", True),
    ("empty", ("failed", True), ("unknown", True), "bad_output", True),
    ("gzip", ("failed", True), ("unknown", True), "bad_output", True),
    ("nan", ("failed", True), ("unknown", True), "bad_output", True),
    ("latin-1", ("failed", True), ("unknown", True), "bad_output", True),
    ("deep", ("failed", True), ("unknown", True), "bad_output", True),
    ("digits", ("failed", True), ("unknown", True), "bad_output", True),
    ("twice", ("failed", False), ("unknown", False), "bad_output", True),
    ("huge-number", ("failed", False), ("unknown", False), "bad_output", True),
    ("huge-integer", ("failed", False), ("unknown", False), "bad_output", True),
    ("surrogate", ("failed", False), ("unknown", False), "bad_output", True),
    ("nul", ("failed", False), ("unknown", False), "bad_output", True),
    ("big", ("failed", False), ("unknown", False), "bad_output", True),
    ("endless", ("failed", False), ("unknown", False), "bad_output", True),
    ("redirect/307", ("failed", False), ("failed", False), "redirected", False),
    ("redirect/308", ("failed", False), ("failed", False), "redirected", False),
    ("redirect/301", ("failed", False), ("unknown", False), "http_301", True),
    ("redirect/302", ("failed", False), ("unknown", False), "http_302", True),
    ("redirect/303", ("failed", False), ("unknown", False), "http_303", True),
    ("status/304", ("failed", False), ("unknown", False), "http_304", True),
    ("status/400", ("failed", False), ("failed", False), "http_400", False),
    ("status/401", ("failed", False), ("failed", False), "http_401", False),
    ("status/404", ("failed", False), ("failed", False), "http_404", False),
    ("status/408", ("failed", True), ("unknown", True), "http_408", True),
    ("status/409", ("failed", False), ("failed", False), "http_409", False),
    ("status/422", ("failed", False), ("failed", False), "http_422", False),
    ("status/425", ("failed", True), ("failed", True), "http_425", False),
    ("status/429", ("failed", True), ("failed", True), "http_429", False),
    ("status/500", ("failed", True), ("unknown", True), "http_500", True),
    ("status/502", ("failed", True), ("unknown", True), "http_502", True),
    ("status/503", ("failed", True), ("unknown", True), "http_503", True),
    ("status/503?retry-after=5", ("failed", True), ("unknown", True), "http_503", True),
    ("status/504", ("failed", True), ("unknown", True), "http_504", True),
    ("status/599", ("failed", True), ("unknown", True), "http_599", True),
]


@pytest.mark.parametrize(("path", "read", "effect", "code", "counts"), MISBEHAVIOUR)
def test_misbehaviour(
    server: RudeServer,
    adapter: HttpAdapter,
    path: str,
    read: tuple[str, bool],
    effect: tuple[str, bool],
    code: str,
    counts: bool,
) -> None:
    url = f"{server.url}/{path}"
    got = adapter.invoke(call_to(url, effect="read", method="GET"), timeout_s=PATIENCE_S)
    assert verdict(got) == (read[0], code, read[1], counts)
    for name in ("reversible", "irreversible"):
        outcome = adapter.invoke(call_to(url, effect=name), timeout_s=PATIENCE_S)
        assert verdict(outcome) == (effect[0], code, effect[1], counts)
    assert len(server.seen) == 3, "one request per attempt: no redirects, no hidden retries"


@pytest.mark.parametrize(("status", "hears"), [(425, None), (429, None), (400, True), (503, False)])
def test_a_call_that_the_tool_puts_off_says_nothing_of_its_health(
    server: RudeServer, adapter: HttpAdapter, status: int, hears: bool | None
) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/status/{status}"), timeout_s=PATIENCE_S)
    assert breaker_verdict(outcome) is hears


@pytest.mark.parametrize("path", ["ok", "text-plain"])
def test_success(server: RudeServer, adapter: HttpAdapter, path: str) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/{path}"), timeout_s=PATIENCE_S)
    assert verdict(outcome) == ("succeeded", "ok", False, False)
    assert outcome.value == {"fine": True}


def test_no_content_is_an_answer(server: RudeServer, adapter: HttpAdapter) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/status/204"), timeout_s=PATIENCE_S)
    assert (outcome.status, outcome.value) == ("succeeded", None)
    promised = {"output_schema": {"type": "object"}}
    outcome = adapter.invoke(call_to(f"{server.url}/status/204", spec=promised), timeout_s=PATIENCE_S)
    assert verdict(outcome) == ("unknown", "bad_output", False, True)


@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("irreversible", "unknown")])
def test_an_answer_has_to_fit_the_promised_schema(
    server: RudeServer, adapter: HttpAdapter, effect: str, status: str
) -> None:
    promised = {"output_schema": {"type": "object", "required": ["order_id"]}}
    outcome = adapter.invoke(call_to(f"{server.url}/ok", effect=effect, spec=promised), timeout_s=PATIENCE_S)
    assert verdict(outcome) == (status, "bad_output", False, True)
    assert "order_id is missing" in outcome.detail


def test_the_limit_of_bytes_can_be_set_and_is_exact(server: RudeServer, adapter: HttpAdapter) -> None:
    size = len(b'{"fine": true}')
    for limit, status in ((size, "succeeded"), (size - 1, "unknown")):
        call = call_to(f"{server.url}/ok", config={"response_limit_bytes": limit})
        assert adapter.invoke(call, timeout_s=PATIENCE_S).status == status


def test_a_problem_explains_itself_in_bounds(server: RudeServer, adapter: HttpAdapter) -> None:
    plain = adapter.invoke(call_to(f"{server.url}/status/400"), timeout_s=PATIENCE_S)
    assert plain.detail == "No: Not today"
    long = adapter.invoke(call_to(f"{server.url}/long-problem"), timeout_s=PATIENCE_S)
    assert long.detail.startswith("T: [2Jddd")
    assert len(long.detail) == DETAIL_LIMIT
    for path in ("odd-problem", "list-problem"):
        assert (
            adapter.invoke(call_to(f"{server.url}/{path}"), timeout_s=PATIENCE_S).detail
            == "The tool answered 400."
        )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999999999999", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("٣", None),
    ],
)
def test_retry_after_in_seconds(
    server: RudeServer, adapter: HttpAdapter, text: str, seconds: float | None
) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/status/429?retry-after={text}"), timeout_s=PATIENCE_S)
    assert outcome.retry_after_s == seconds


@pytest.mark.parametrize(
    ("header", "etag"),
    [
        ('"v1"', '"v1"'),
        (' W/"v1" ', 'W/"v1"'),
        ("v1", ""),
        ('""', ""),
        ('"a"b"', ""),
        ('"a\u202e"', ""),
        (f'"{"x" * 257}"', ""),
        ("", ""),
    ],
)
def test_an_etag_is_taken_as_it_stands_or_not_at_all(header: str, etag: str) -> None:
    seen = wire.Exchange(True, 200, {"etag": header}, b'{"id": 1}')
    assert judge(call_to("http://shop.example/"), seen, 100).etag == etag


def test_retry_after_with_a_zone_that_overflows_is_none() -> None:
    headers = {"retry-after": "Mon, 01 Jan 2026 00:00:00 +99999999999999999999"}
    outcome = judge(call_to("http://shop.example/"), wire.Exchange(True, 429, headers), 100)
    assert (outcome.code, outcome.retry_after_s) == ("http_429", None)


@pytest.mark.parametrize(
    ("hours", "bounds"), [(1, (3500.0, 3600.0)), (-1, (0.0, 0.0)), (48, (86_400.0, 86_400.0))]
)
def test_retry_after_as_a_date(
    server: RudeServer, adapter: HttpAdapter, hours: int, bounds: tuple[float, float]
) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/busy-for-hours/{hours}"), timeout_s=PATIENCE_S)
    assert outcome.retry_after_s is not None
    assert bounds[0] <= outcome.retry_after_s <= bounds[1]


def test_a_repeated_key_that_is_still_at_work_may_be_asked_again(
    server: RudeServer, adapter: HttpAdapter
) -> None:
    for attempt, idempotency, retryable in (
        (1, "honours_key", False),
        (2, "honours_key", True),
        (2, "none", False),
    ):
        call = call_to(f"{server.url}/status/409", spec={"idempotency": idempotency}, attempt=attempt)
        assert verdict(adapter.invoke(call, timeout_s=PATIENCE_S)) == ("failed", "http_409", retryable, False)


READ_BACKS = [
    ("ok", "succeeded", "ok"),
    ("status/404", "failed", "not_executed"),
    ("not-found-page", "unknown", "http_404"),
    ("status/204", "unknown", "http_204"),
    ("status/401", "unknown", "http_401"),
    ("status/410", "unknown", "http_410"),
    ("status/429", "unknown", "http_429"),
    ("status/500", "unknown", "http_500"),
    ("redirect/307", "unknown", "http_307"),
    ("html", "unknown", "bad_output"),
    ("drop", "unknown", "connection_lost"),
]


@pytest.mark.parametrize(("path", "status", "code"), READ_BACKS)
def test_read_back(server: RudeServer, path: str, status: str, code: str) -> None:
    config = {"read_back": {"method": "GET", "url": f"{server.url}/{path}/{{idempotency_key}}"}}
    spec = {"timeout_s": PATIENCE_S}
    call = call_to(f"{server.url}/ok", arguments={"amount": 5}, config=config, key="run:1/2", spec=spec)
    outcome = read_back(call)
    assert outcome is not None
    assert (outcome.status, outcome.code) == (status, code)
    assert [(seen.method, seen.target) for seen in server.seen] == [("GET", f"/{path}/run%3A1%2F2")]


QUERIES = [
    # path, what has to stand in the answer, arguments, status, code
    ("echo", {"/method": "GET"}, {}, "succeeded", "ok"),
    ("echo", {"/method": "$arguments.verb"}, {"verb": "GET"}, "succeeded", "ok"),
    ("echo", {"/method": "POST"}, {}, "failed", "not_executed"),
    ("echo", {"/method": "GET", "/body": "something"}, {}, "failed", "not_executed"),
    ("echo", {"/method": "$arguments.verb"}, {}, "unknown", "bad_output"),
    ("echo", {"/no/such/0/place": 1}, {}, "unknown", "bad_output"),
    ("echo", {"/body": False}, {}, "unknown", "bad_output"),
    ("echo", {"/method": "POST", "/no-such-place": 1}, {}, "unknown", "bad_output"),
    ("status/404", {"/method": "GET"}, {}, "unknown", "http_404"),
    ("status/500", {"/method": "GET"}, {}, "unknown", "http_500"),
    ("status/204", {"/method": "GET"}, {}, "unknown", "bad_output"),
    ("html", {"/method": "GET"}, {}, "unknown", "bad_output"),
    ("drop", {"/method": "GET"}, {}, "unknown", "connection_lost"),
]


@pytest.mark.parametrize(("path", "happened", "arguments", "status", "code"), QUERIES)
def test_a_query_tells_what_became_of_an_effect(
    server: RudeServer, path: str, happened: dict[str, Any], arguments: dict[str, Any], status: str, code: str
) -> None:
    read_back_config = {"url": f"{server.url}/{path}/{{order_id}}", "happened": happened}
    call = call_to(
        f"{server.url}/ok",
        arguments={"order_id": "W1", **arguments},
        config={"read_back": read_back_config},
        spec={"timeout_s": PATIENCE_S},
    )
    outcome = read_back(call)
    assert outcome is not None
    assert (outcome.status, outcome.code) == (status, code)
    assert [(seen.method, seen.target) for seen in server.seen] == [("GET", f"/{path}/W1")]


@pytest.mark.parametrize(
    ("promised", "is_kept"), [({"required": ["method"]}, True), ({"required": ["x"]}, False)]
)
def test_what_a_query_answers_is_a_result_only_if_the_tool_promises_such_a_one(
    server: RudeServer, promised: dict[str, Any], is_kept: bool
) -> None:
    config = {"read_back": {"url": f"{server.url}/echo", "happened": {"/method": "GET"}}}
    spec = {"timeout_s": PATIENCE_S, "output_schema": promised}
    outcome = read_back(call_to(f"{server.url}/ok", config=config, spec=spec))
    assert outcome is not None
    assert (outcome.status, outcome.value is not None) == ("succeeded", is_kept)


def test_a_read_back_that_cannot_be_sent_proves_nothing() -> None:
    config = {"read_back": {"url": "http://no-such-host.invalid/{idempotency_key}"}}
    spec = {"timeout_s": PATIENCE_S}
    outcome = read_back(call_to("http://no-such-host.invalid/", config=config, spec=spec))
    assert outcome is not None
    assert (outcome.status, outcome.code) == ("unknown", "unreachable")


def test_without_a_read_back_there_is_none(server: RudeServer, adapter: HttpAdapter) -> None:
    assert adapter.read_back(call_to(f"{server.url}/ok"), timeout_s=PATIENCE_S) is None
