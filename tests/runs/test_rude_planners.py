"""Models that answer with anything but what was asked of them, through the driver, over real HTTP."""

from __future__ import annotations

import json
import socket
import struct
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest
from pytest_django import Settings

from runs.models import BudgetWindow, Run, Step
from tests.api.caller import caller_of
from tests.console.visits import page_of, sign_in
from tests.factories import BudgetFactory
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.planner.provider import Conversation, Turn, call, completion, reply

pytestmark = [pytest.mark.rude, pytest.mark.slow]

MEGABYTE = 1_000_000


def decides(*calls: object, **changes: Any) -> Turn:  # Any: fields of a Chat Completion
    """Play tool calls as they stand."""
    return reply(completion(message={"content": None, "tool_calls": list(calls)}, **changes))


def reset(conversation: Conversation) -> None:
    """End the connection as a crashed host does."""
    lingers = struct.pack("ii", 1, 0)
    conversation.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingers)
    conversation.drop()
    conversation.connection.close()


def check_it_is_shown(company: Company, run: Run) -> None:
    """The trace, the steps, the events and the console's page hold, whatever the model wrote."""
    caller = caller_of(company.cast, company.cast.application.service_account)
    for part in ("", "/steps", "/trace", "/events"):
        assert caller.get(f"/runs/{run.pk}{part}").status == 200, part
    page = sign_in(company.cast.bob).get(page_of("runs_run", "change", run.pk))
    assert page.status_code == 200
    assert b"\x1b" not in page.content


# --- calls ------------------------------------------------------------------------------------------------


def padded(size: int) -> str:
    return json.dumps({"order_id": "x" * size})


def deep(depth: int) -> str:
    return '{"order_id": ' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    ("proposed", "code"),
    [
        (call(padded(MEGABYTE), "refund"), "malformed_arguments"),
        (call("{" * MEGABYTE, "refund"), "malformed_arguments"),
        (call(padded(255 * 1024), "refund"), "ok"),
        (call(deep(100_000), "refund"), "malformed_arguments"),
        (call(deep(40), "refund"), "invalid_arguments"),
        (call("", "refund"), "malformed_arguments"),
        (call("null", "refund"), "malformed_arguments"),
        (call("[]", "refund"), "malformed_arguments"),
        (call('{"order_id": NaN}', "refund"), "malformed_arguments"),
        (call('{"order_id": "\\ud800"}', "refund"), "malformed_arguments"),
        (call('{"order_id": "\\u0000"}', "refund"), "malformed_arguments"),
        (call('{"order_id": "A", "\\ud800": 1}', "refund"), "malformed_arguments"),
        (call(None, "refund"), "malformed_arguments"),
        (call(ORDER, "refund"), "malformed_arguments"),
        (call("{}", "re\x00fund\x1b[2J\n"), "invalid_name"),
        (call("{}", "refund\u202e\u200b"), "invalid_name"),
        (call("{}", "\ud800"), "invalid_name"),
        (call("{}", "r" * MEGABYTE), "invalid_name"),
        (call("{}", ""), "invalid_name"),
        (call("{}", None), "invalid_name"),
        (call("{}", {"refund": 1}), "invalid_name"),
        (call("{}", "__proto__"), "not_allow_listed"),
        (call("{}", "Refund"), "not_allow_listed"),
        ("refund", "malformed_call"),
        (None, "malformed_call"),
        ({"id": 7, "function": "refund"}, "malformed_call"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused_and_the_rest_is_made(
    company: Company, proposed: object, code: str
) -> None:
    company.add_tool("refund")
    company.add_reads()
    company.publish(max_tokens=10_000_000, max_usd=Decimal(100))
    run = company.run(decides(proposed, call(json.dumps(ORDER), "look_up")), says("Done."))
    assert run.state == "completed"
    state = "succeeded" if code == "ok" else "refused"
    assert company.states(run) == [(state, code), ("succeeded", "ok")]
    assert company.world.attempts.count("refund") == (code == "ok")
    if code != "ok":
        assert company.observations()[0]["error"] == code
    check_it_is_shown(company, run)


def test_what_the_model_wrote_in_place_of_arguments_is_kept(company: Company) -> None:
    company.add_tool("refund")
    run = company.run(decides(call('{"order_id": \x00\ud800', "refund")), says("Done."))
    decided = next(entry for entry in company.entries(run) if entry.kind == "step.decided")
    (kept,) = decided.content["calls"]
    assert (kept["arguments"], kept["raw"]) == (None, '{"order_id": \ufffd\ufffd')


def test_fifty_calls_of_one_turn_are_all_made(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund")
    reads = [call(json.dumps({"order_id": f"A-{n}"}), "look_up", id=f"read_{n}") for n in range(25)]
    writes = [call(json.dumps({"order_id": f"A-{n}"}), "refund", id=f"write_{n}") for n in range(25)]
    run = company.run(decides(*reads, *writes), says("Done."))
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")] * 50)
    assert company.world.attempts == ["look_up"] * 25 + ["refund"] * 25
    assert len(set(company.world.effects)) == 25
    assert [told["refunded"] for told in company.observations()[25:]] == [f"A-{n}" for n in range(25)]
    check_it_is_shown(company, run)


def test_of_too_many_calls_the_first_64_are_made(company: Company) -> None:
    company.add_reads()
    calls = [call(json.dumps({"order_id": f"A-{n}"}), "look_up") for n in range(70)]
    run = company.run(decides(*calls), says("Done."))
    assert (run.state, len(company.calls(run)), len(company.world.attempts)) == ("completed", 64, 64)
    assert company.facts(run, "step.decided")[0]["problem"] == "too_many_calls"
    check_it_is_shown(company, run)


@pytest.mark.parametrize("given", ["call_a", "", None, 7, "\x00", "x" * 10_000])
def test_calls_under_one_id_are_told_apart(company: Company, given: object) -> None:
    company.add_tool("refund")
    calls = [call(json.dumps({"order_id": f"A-{n}"}), "refund", id=given) for n in range(3)]
    run = company.run(decides(*calls), says("Done."))
    assert company.states(run) == [("succeeded", "ok")] * 3
    assert len(set(company.world.effects)) == 3, "each under a key of its own"
    answered = [each for each in company.asked()[-1]["messages"] if each["role"] == "tool"]
    assert [each["tool_call_id"] for each in answered] == ["call_1_1", "call_1_2", "call_1_3"]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_the_last_call_of_a_turn_that_was_cut_off_is_not_made(company: Company, reason: str) -> None:
    company.add_tool("refund")
    calls = [call(json.dumps({"order_id": f"A-{n}"}), "refund", id=f"c{n}") for n in range(2)]
    run = company.run(decides(*calls, choice={"finish_reason": reason}), says("Done."))
    assert company.states(run) == [("succeeded", "ok"), ("refused", "truncated")]
    assert len(company.world.effects) == 1


@pytest.mark.parametrize("question", [7, ["a"], {"a": 1}, "", " \n", None, "\u200b"])
@pytest.mark.parametrize(("tool", "argument"), [("ask_user", "question"), ("hand_over", "reason")])
def test_a_question_without_words_breaks_nothing(
    company: Company, tool: str, argument: str, question: object
) -> None:
    run = company.run(proposes((tool, {argument: question})), says("Done."))
    assert (run.state, company.states(run)[0][0]) in (
        ("completed", "refused"),
        ("requires_action", "asked"),
    )
    check_it_is_shown(company, run)


# --- words ------------------------------------------------------------------------------------------------


def test_words_that_cannot_be_stored_are_made_storable(company: Company) -> None:
    said = {"content": "a\x00b\ud800", "reasoning_content": "\udfff\x00", "refusal": None}
    run = company.run(reply(completion(message=said, id="\ud800", model="m\x00" * 200)))
    assert run.state == "completed"
    assert company.content(run, "run.completed") == {"answer": "a\ufffdb\ufffd"}
    check_it_is_shown(company, run)


def test_an_answer_that_was_cut_off_says_so(company: Company) -> None:
    run = company.run(says("It will cost you", choice={"finish_reason": "length"}))
    assert run.state == "completed"
    (decided,) = company.facts(run, "step.decided")
    assert (decided["finish_reason"], "cut_by" in decided) == ("length", False)


@pytest.mark.parametrize(
    ("limits", "limit", "why"),
    [
        ({"max_tokens": 6_000}, "tokens", "The run's tokens are used up."),
        ({"max_usd": Decimal("0.008")}, "usd", "The run's budget for USD is used up."),
    ],
)
def test_an_answer_that_the_budget_cut_off_completes_nothing(
    company: Company, limits: dict[str, Any], limit: str, why: str
) -> None:
    company.publish(max_completion_tokens=100_000, **limits)
    run = company.run(says("It will cost you", choice={"finish_reason": "length"}), says("Never."))
    assert (run.state, run.status_reason, run.status_detail) == ("halted", "budget_reached", limit)
    assert company.facts(run, "step.decided")[0]["cut_by"] == limit
    told = f"{why} Nothing was changed in the world. Its answer was cut off: It will cost you"
    assert (company.content(run, "run.halted")["summary"], len(company.asked())) == (told, 1)


def test_an_answer_that_just_fits_completes_the_run(company: Company) -> None:
    company.publish(max_completion_tokens=100_000, max_tokens=6_000)
    run = company.run(says("It costs 5 USD."))
    assert (run.state, "cut_by" in company.facts(run, "step.decided")[0]) == ("completed", False)


# --- usage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "many",
        {"prompt_tokens": -100, "completion_tokens": 20},
        {"prompt_tokens": 100, "completion_tokens": -20},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 1e300, "completion_tokens": 20},
        {"prompt_tokens": 2**80, "completion_tokens": 20},
        {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 10**6}},
    ],
)
def test_a_usage_that_cannot_be_is_charged_as_reserved(company: Company, usage: object) -> None:
    BudgetFactory.create(team=company.cast.team, max_tokens=10_000_000)
    run = company.run(says("Hello.", usage=usage))
    (reserved,) = company.facts(run, "model.requested")
    (decided,) = company.facts(run, "step.decided")
    assert (run.state, run.tokens, decided["estimated"]) == ("completed", reserved["reserved_tokens"], True)
    assert BudgetWindow.objects.get().committed_tokens == run.tokens


HUGE = {"prompt_tokens": 2**31 - 1, "completion_tokens": 2**31 - 1}


@pytest.mark.parametrize("shared", [False, True])
def test_a_usage_beyond_all_limits_is_charged_and_nothing_more_is_done(
    company: Company, shared: bool
) -> None:
    company.add_tool("refund")
    if shared:
        BudgetFactory.create(team=company.cast.team, max_tokens=10_000_000)
    run = company.run(proposes(("refund", ORDER), usage=HUGE), says("Done."))
    assert (run.state, run.status_reason, run.tokens) == ("halted", "budget_reached", 2 * (2**31 - 1))
    assert (company.facts(run, "step.decided")[0]["overrun"], company.world.attempts) == (True, [])
    assert Decimal(run.usd) > 1000
    if shared:
        assert BudgetWindow.objects.get().committed_tokens == run.tokens
    check_it_is_shown(company, run)


def test_a_final_answer_is_given_although_it_cost_too_much(company: Company) -> None:
    run = company.run(says("Hello.", usage=HUGE))
    assert (run.state, company.content(run, "run.completed")) == ("completed", {"answer": "Hello."})


# --- failures ---------------------------------------------------------------------------------------------


def busy_until(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("status", "code", "charged"),
    [
        (429, "planner_rate_limited", False),
        (500, "planner_unavailable", True),
        (503, "planner_unavailable", False),
    ],
)
@pytest.mark.parametrize(
    ("wait", "least_s", "most_s"),
    [
        ("40", 40, 40),
        ("date", 55, 60),
        ("99999999999", 300, 300),
        ("-5", 0, 1),
        ("soon", 0, 1),
        ("inf", 0, 1),
    ],
)
def test_a_provider_is_left_alone_for_as_long_as_it_asks_in_bounds(
    company: Company, status: int, code: str, charged: bool, wait: str, least_s: int, most_s: int
) -> None:
    company.publish(max_seconds=3600)
    asked = busy_until(60) if wait == "date" else wait
    run = company.run(reply({"error": {"message": "no"}}, status, retry_after=asked), says("Hello."))
    (failed,) = company.facts(run, "model.failed")
    assert (failed["code"], failed["tokens"] > 0, failed["estimated"]) == (code, charged, charged)
    assert least_s * 1000 <= failed["delay_ms"] <= most_s * 1000
    assert (run.state, len(company.asked())) == (("in_progress", 1) if least_s else ("completed", 2))
    assert (run.wake_at is not None) == bool(least_s)


@pytest.mark.parametrize(
    ("turn", "code", "again"),
    [
        (reset, "planner_connection_lost", True),
        (lambda conversation: conversation.wait(), "planner_timeout", True),
        (reply(b"<html><body>502</body></html>", content_type="text/html"), "planner_invalid_answer", True),
        (reply(b""), "planner_invalid_answer", True),
        (reply(b"null"), "planner_invalid_answer", True),
        (reply(b"[" * MEGABYTE), "planner_invalid_answer", True),
        (reply(b"\x00\xff"), "planner_invalid_answer", True),
        (reply(completion(message={"content": None})), "empty_answer", True),
        (reply(completion(message={"content": None, "tool_calls": []})), "empty_answer", True),
        (reply(completion(message={"tool_calls": "refund"})), "planner_invalid_answer", True),
        (reply(completion(choice={"finish_reason": "error"})), "planner_unavailable", True),
        (
            reply(completion(message={"content": ""}, choice={"finish_reason": "length"})),
            "empty_answer",
            False,
        ),
        (reply(completion(message={"content": "x" * 5_000_000})), "planner_answer_too_large", False),
        (reply({"error": {"message": "no", "code": "model_not_found"}}, 404), "planner_rejected", False),
        (reply(b"", 302, location="http://127.0.0.1:9/"), "planner_rejected", False),
    ],
)
def test_a_turn_that_yields_nothing_has_its_code_and_a_bound(
    company: Company, settings: Settings, turn: Turn, code: str, again: bool
) -> None:
    settings.MODEL_TIMEOUT_S = 0.5 if code == "planner_timeout" else 30
    run = company.run(turn)
    assert (run.state, run.status_reason) == ("failed", "planner_error")
    failures = company.facts(run, "model.failed")
    assert [failed["code"] for failed in failures] == [code] * (3 if again else 1)
    assert run.tokens == sum(failed["tokens"] for failed in failures)
    assert not Step.objects.filter(run=run, state="decided").exists()
    check_it_is_shown(company, run)
