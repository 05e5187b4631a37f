"""Steering runs that really run."""

from __future__ import annotations

from typing import Any

import pytest

from runs.models import Handover, Run
from tests.api.conftest import Callers
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import lose_request


@pytest.fixture
def asking(company: Company) -> Run:
    """A run that waits for the user's answer."""
    company.add_reads()
    return company.run(proposes(("ask_user", {"question": "Which order?"})), says("Thank you."))


def post(callers: Callers, run: Run, verb: str, body: object = None, **headers: str) -> Any:
    return callers.app.post(f"/runs/{run.pk}/{verb}", body, **headers)


def test_an_answer_lets_the_run_go_on(company: Company, callers: Callers, asking: Run) -> None:
    shown = callers.app.get(f"/runs/{asking.pk}").body
    assert (shown["state"], shown["required_actions"]) == (
        "requires_action",
        [{"type": "input", "step": 1, "call": 1, "id": None, "expires_at": None}],
    )
    answer = post(callers, asking, "input", {"text": "A-1", "step": 1, "call": 1})
    assert answer.status == 202
    assert company.drive(asking).state == "completed"
    assert company.observations()[-1] == "A-1"


def test_a_whole_number_may_be_written_with_a_point(callers: Callers, asking: Run) -> None:
    # JSON Schema, which the OpenAPI document speaks, knows values: 1.0 is the integer 1.
    first = post(callers, asking, "input", {"text": "A-1", "step": 1.0, "call": 1e0}, key="k")
    again = post(callers, asking, "input", {"text": "A-1", "step": 1, "call": 1}, key="k")
    assert (first.status, again.status, again.headers.get("Idempotent-Replayed")) == (202, 202, "true")


def test_an_answer_that_is_not_awaited_is_a_conflict(callers: Callers, asking: Run) -> None:
    other_call = post(callers, asking, "input", {"text": "A-1", "step": 7, "call": 1})
    assert (other_call.status, other_call.code) == (409, "not_awaited")
    assert post(callers, asking, "input", {"text": "A-1"}).status == 202
    company_says = post(callers, asking, "input", {"text": "A-1"})
    assert company_says.status == 409


def test_a_message_reaches_the_model(company: Company, callers: Callers, asking: Run) -> None:
    assert post(callers, asking, "messages", {"text": "And hurry."}).status == 202
    post(callers, asking, "input", {"text": "A-1"})
    company.drive(asking)
    assert "And hurry." in str(company.asked()[-1]["messages"])


def test_pause_resume_cancel(company: Company, callers: Callers, asking: Run) -> None:
    assert post(callers, asking, "pause", {"reason": "lunch"}).body["state"] == "paused"
    assert post(callers, asking, "resume").body["state"] != "paused"
    assert post(callers, asking, "cancel").body["state"] == "cancelling"
    assert company.drive(asking).state == "cancelled"
    for verb in ("cancel", "pause", "resume"):
        late = post(callers, asking, verb)
        assert (late.status, late.body["status"]) == (409, 409)


def test_a_killed_run_makes_no_further_call(company: Company, callers: Callers, asking: Run) -> None:
    assert post(callers, asking, "kill", {"reason": "It went astray."}).status == 202
    killed = company.drive(asking)
    assert (killed.state, killed.status_reason) == ("halted", "killed")
    assert len(company.asked()) == 1


def test_to_kill_needs_no_key_and_may_be_repeated(company: Company, callers: Callers, asking: Run) -> None:
    """An emergency stop must not fail for want of a header; said twice, it stops the run once."""
    answers = [post(callers, asking, "kill", {"reason": "Stop."}) for _ in range(2)]
    assert [(answer.status, answer.body["state"]) for answer in answers] == [(202, "cancelling")] * 2
    killed = company.drive(asking)
    assert (killed.state, killed.status_reason, len(company.asked())) == ("halted", "killed", 1)
    before = company.kinds(killed)
    assert before.count("run.halted") == 1
    late = post(callers, asking, "kill", {"reason": "Stop."})
    assert (late.status, late.code, company.kinds(killed)) == (409, "run_ended", before)


def test_resuming_what_is_not_paused_is_a_conflict(callers: Callers, asking: Run) -> None:
    refused = post(callers, asking, "resume")
    assert (refused.status, refused.code) == (409, "not_paused")


def test_a_repeated_cancel_is_answered_from_its_key(callers: Callers, asking: Run) -> None:
    first = post(callers, asking, "cancel", {"reason": "x"}, key="k1")
    again = post(callers, asking, "cancel", {"reason": "x"}, key="k1")
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (202, first.body, "true")
    other = post(callers, asking, "cancel", {"reason": "y"}, key="k1")
    assert (other.status, other.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("cancel", {"reason": 7}),
        ("cancel", {"why": "x"}),
        ("cancel", {"reason": "x" * 501}),
        ("messages", {}),
        ("messages", {"text": "  "}),
        ("input", {"text": "x", "step": "1"}),
        ("input", {"text": "x", "step": 0}),
        ("input", {"text": "x", "call": True}),
        ("input", {"text": "x", "step": 1.5}),
        ("input", {"text": "x", "step": 0.0}),
        ("input", {"text": "x", "step": 1e300}),
        ("calls/1/1/outcome", {"happened": "yes", "note": "x"}),
        ("calls/1/1/outcome", {"happened": True}),
        ("calls/1/1/veto", {}),
        ("calls/1/1/veto", {"reason": " "}),
    ],
)
def test_a_body_that_is_not_taken(callers: Callers, asking: Run, verb: str, body: object) -> None:
    refused = post(callers, asking, verb, body)
    assert (refused.status, refused.code) == (422, "validation_failed")


@pytest.mark.parametrize(
    "verb",
    ["cancel", "kill", "pause", "resume", "input", "messages", "calls/1/1/outcome", "calls/1/1/veto"],
)
def test_an_outsider_steers_nothing(callers: Callers, asking: Run, verb: str) -> None:
    body = {"text": "x"} if verb in ("input", "messages") else None
    path = f"/runs/{asking.pk}/{verb}"
    assert callers.charlie.post(path, body).code == "unknown_run"
    assert callers.stranger.post(path, body).status == 401
    asking.refresh_from_db()
    assert asking.state == "requires_action"


def test_a_person_settles_an_unknown_outcome(company: Company, callers: Callers) -> None:
    company.add_tool("refund", idempotency="none")
    company.world.mishaps.append(lose_request)
    run = company.run(proposes(("refund", ORDER)), says("Refunded after all."))
    action = callers.alice.get(f"/runs/{run.pk}").body["required_actions"]
    assert [each["type"] for each in action] == ["outcome"]
    settled = callers.alice.post(
        f"/runs/{run.pk}/calls/1/1/outcome", {"happened": True, "note": "seen at the bank"}
    )
    assert settled.status == 202
    assert company.drive(run).state == "completed"
    assert company.states(run)[0][0] == "succeeded"
    again = callers.alice.post(f"/runs/{run.pk}/calls/1/1/outcome", {"happened": True, "note": "twice"})
    assert again.status == 409


def test_a_held_call_is_vetoed_once(company: Company, callers: Callers) -> None:
    company.add_tool("refund", grant_veto_s=600)
    run = company.run(proposes(("refund", ORDER)), says("Not refunded."))
    path = f"/runs/{run.pk}/calls/1/1/veto"
    assert callers.bob.post(path, {"reason": "no"}).code == "not_permitted"
    assert [each["id"] for each in callers.alice.get("/runs?held=true").body["data"]] == [str(run.pk)]
    vetoed = callers.app.post(path, {"reason": "the customer called"})
    assert vetoed.status == 202
    assert callers.alice.get("/runs?held=true").body["data"] == []
    assert (callers.alice.post(path, {"reason": "again"}).status) == 409
    run = company.drive(run)
    assert (company.states(run), company.world.attempts) == ([("refused", "vetoed")], [])
    assert callers.alice.post(path, {"reason": "late"}).code == "run_ended"
    assert callers.alice.post(f"/runs/{run.pk}/calls/9/9/veto", {"reason": "x"}).code == "unknown_call"


def test_a_call_that_there_is_not_cannot_be_settled(callers: Callers, asking: Run) -> None:
    for path in ("calls/9/9/outcome", f"calls/{10**30}/1/outcome"):
        refused = callers.alice.post(f"/runs/{asking.pk}/{path}", {"happened": True, "note": "x"})
        assert (refused.status, refused.code) == (404, "unknown_call")


def test_a_conversation_is_handed_over_and_answered(company: Company, callers: Callers) -> None:
    company.add_reads()
    run = company.run(proposes(("hand_over", {"reason": "They want a discount."})), says("As you wish."))
    (shown,) = callers.alice.get("/handovers?open=true").body["data"]
    assert callers.alice.get("/handovers").body["data"] == [shown]  # without the filter: all of them
    assert callers.alice.get("/handovers?open=false").body["data"] == []
    assert (shown["run"], shown["agent"], shown["reason"]) == (
        str(run.pk),
        "refunds-agent",
        "They want a discount.",
    )
    assert callers.charlie.get("/handovers").body["data"] == []
    path = f"/handovers/{shown['id']}/answer"
    assert callers.charlie.post(path, {"text": "No."}).code == "unknown_handover"
    answered = callers.alice.post(path, {"text": "10 percent."}, key="k1")
    assert (answered.status, answered.body["answered_at"] is not None) == (202, True)
    assert callers.alice.post(path, {"text": "10 percent."}, key="k1").body == answered.body
    assert callers.alice.post(path, {"text": "20 percent."}).code == "handover_answered"
    assert company.drive(run).state == "completed"
    assert callers.alice.get("/handovers?open=true").body["data"] == []
    assert Handover.objects.get().answered_by == company.cast.alice


@pytest.mark.parametrize("ends", [False, True])
def test_a_conversation_is_open_only_while_its_run_waits_for_it(
    company: Company, callers: Callers, ends: bool
) -> None:
    company.add_reads()
    run = company.run(proposes(("hand_over", {"reason": "They want a discount."})), says("Never said."))
    assert post(callers, run, "cancel").status == 202
    if ends:
        assert company.drive(run).state == "cancelled"
    assert callers.alice.get("/handovers?open=true").body["data"] == []
    for others in ("/handovers?open=false", "/handovers"):
        (shown,) = callers.alice.get(others).body["data"]
        assert (shown["run"], shown["answered_at"]) == (str(run.pk), None)
