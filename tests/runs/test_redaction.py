"""What is taken out of prompts: nothing of it reaches a model, everybody else goes on knowing it, the trace tells."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentops.engine import events as e
from agentops.errors import ValidationFailed
from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from runs import session, showing
from runs.behaviour import Behaviour, behaviour_of
from runs.models import Run
from runs.models.versions import REDACTED
from runs.prompts import read_prompt
from runs.publishing import draft_version
from runs.redaction import KINDS, Redactor, redact_step
from runs.window import Written
from tests.api.caller import caller_of
from tests.console.visits import page_of, sign_in, text_of
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import WORLD
from tests.runs.test_results import reads_on
from tests.runs.test_summarising import WINDOW, alternating

CARD, IBAN, MAIL, PIN = (
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "eve@evil.example",
    "pin-canary-4711",
)
CANARIES = (CARD, IBAN, MAIL, PIN)
ALL = list(KINDS)


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("card", f"pay with {CARD}.", "pay with [redacted card]."),
        ("card", "4111-1111-1111-1111", "[redacted card]"),
        ("card", "4111111111111111", "[redacted card]"),
        ("card", "4111 1111 1111 1112", "4111 1111 1111 1112"),  # checks in no way
        ("card", "order 1234567890", "order 1234567890"),
        ("iban", f"to {IBAN} TODAY PLEASE", "to [redacted iban] TODAY PLEASE"),
        ("iban", "GB82WEST12345698765432", "[redacted iban]"),
        ("iban", "GB82WEST12345698765433", "GB82WEST12345698765433"),
        ("email", f"<{MAIL}>, or a.b+c@x.co.uk", "<[redacted email]>, or [redacted email]"),
        ("email", "mail me @ home", "mail me @ home"),
        ("sensitive", f"{CARD} {MAIL}", f"{CARD} {MAIL}"),  # goes by labels, not by looks
    ],
)
def test_what_a_pattern_finds(kind: str, text: str, shown: str) -> None:
    redactor = Redactor([kind])
    assert redactor.redact_text(text) == shown
    assert redactor.count == (text != shown)


def test_values_stay_values_of_their_kind_and_names_of_fields_are_looked_at() -> None:
    found = {MAIL: 4111111111111111, "fine": [True, None, 3, "plain"], "in": {"a\nb": f"\n{MAIL}"}}
    shown, count = redact_step({1: Written(e.MESSAGE_RECEIVED, {}, {"text": found})}, ["card", "email"], {})
    assert shown[1].content["text"] == {
        "[redacted email]": "[redacted card]", "fine": [True, None, 3, "plain"], "in": {"a\nb": "\n[redacted email]"},
    }  # fmt: skip
    assert count == 3
    assert redact_step({1: Written(e.CALL_FAILED, {"step": 1, "call": 1}, None)}, ALL, {})[1] == 0


def test_what_a_child_made_of_something_sensitive_is_sensitive() -> None:
    facts = {"step": 1, "call": 1, "tainted": False, "sensitive": True}
    shown, _ = redact_step(
        {1: Written(e.CALL_SUCCEEDED, facts, {"value": {"a": [1, "b"]}})}, ["sensitive"], {}
    )
    assert shown[1].content == {"value": {"a": ["[redacted]", "[redacted]"]}}


# --- through a run ------------------------------------------------------------------------------------------------

FOUND = {"order": "A-1", "card": CARD, "pin": PIN, "of": {"iban": IBAN}, "mail": MAIL}


@pytest.fixture
def desk(company: Company) -> Company:
    """Return a company whose reads find what no model is to see."""
    results = {"": ["untrusted"], "pin": ["trusted", "sensitive"]}
    company.add_tool("look_up", effect="read", provenance={"results": results})
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    return company


def talk(desk: Company, *turns: Any, **version: Any) -> Run:
    """Drive a run in which the user's words, a result and the model's own call hold all of it."""
    desk.publish(**{"redact": ALL, **version})
    WORLD.mishaps.append(lambda _: FOUND)
    calls = turns or (proposes(("look_up", ORDER)), proposes(("look_up", {"order_id": CARD})))
    return desk.run(*calls, says("Done."), message=f"My card is {CARD}, write to {MAIL}.")


def sent(company: Company) -> str:
    """Return all that the provider was sent but the schemas of tools."""
    return json.dumps([body["messages"] for body in company.asked()], ensure_ascii=False)


def leaked(company: Company) -> list[str]:
    return [canary for canary in CANARIES if canary in sent(company)]


def test_no_model_sees_it_and_the_ledger_has_it(desk: Company) -> None:
    run = talk(desk)
    assert (run.state, leaked(desk)) == ("completed", [])
    assert desk.observations()[0] == {
        "order": "A-1", "card": "[redacted card]", "pin": "[redacted]", "of": {"iban": "[redacted iban]"},
        "mail": "[redacted email]",
    }  # fmt: skip
    assert desk.content(run, e.RUN_STARTED)["message"] == f"My card is {CARD}, write to {MAIL}."
    assert FOUND in [
        entry.content.get("value") for entry in desk.entries(run) if entry.kind == e.CALL_SUCCEEDED
    ]


def test_the_trace_tells_that_something_was_taken_out_and_not_what(desk: Company) -> None:
    run = talk(desk)
    assert [facts.get("redacted") for facts in desk.facts(run, e.MODEL_REQUESTED)] == [1, 5, 7]
    trace = (
        caller_of(desk.cast, desk.cast.application.service_account).get(f"/runs/{run.pk}/trace").body["data"]
    )
    titles = [item["title"] for item in trace if item["kind"] == e.MODEL_REQUESTED]
    assert titles[0].endswith("the run begins, without what was taken out of 1 values")
    assert [list(read_prompt(run, step).messages) for step in (1, 2, 3)] == [
        b["messages"] for b in desk.asked()
    ]
    version = sign_in(desk.cast.bob).get(page_of("runs_agentversion", "change", run.agent_version_id))
    assert "Taken out of prompts card, email, iban, sensitive" in text_of(version)


def test_without_the_guard_a_model_sees_it(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    rewrite(monkeypatch, showing, "show_step", "if version.redact:", "if False:")
    monkeypatch.setattr(session, "show_step", showing.show_step)
    talk(desk)
    assert leaked(desk) == list(CANARIES)


def test_a_version_that_says_nothing_takes_nothing_out(desk: Company) -> None:
    run = talk(desk, redact=[])
    assert leaked(desk) == list(CANARIES)
    assert "redacted" not in str(desk.facts(run, e.MODEL_REQUESTED))


def test_people_who_decide_see_what_the_model_does_not(desk: Company) -> None:
    talk(desk, proposes(("look_up", ORDER)), proposes(("refund", ORDER)))
    evidence = read_evidence(ApprovalRequest.objects.get())
    assert all(canary in json.dumps(evidence) for canary in CANARIES)
    assert leaked(desk) == []


def test_a_planner_that_declares_sees_it_no_more_than_any(desk: Company) -> None:
    run = talk(desk, proposes(("declare_plan", {"tools": [{"tool": "look_up"}]})), plan="planner")
    assert leaked(desk) == []
    assert "[redacted card]" in str(read_prompt(run, 1).messages)
    assert desk.facts(run, e.MODEL_REQUESTED)[0]["redacted"] == 1


def test_a_long_result_is_read_on_in_without_it(desk: Company) -> None:
    desk.publish(redact=ALL)
    WORLD.mishaps.append(lambda _: {"pad": "x" * 20_000, **FOUND})
    turns = (
        proposes(("look_up", ORDER)),
        reads_on(result="call_1_1", offset=16_000),
        reads_on(result="call_1_1", find=PIN),
    )
    run = desk.run(*turns, says("Done."))
    assert run.state == "completed"
    page, places = desk.observations()[1:]
    assert "[redacted iban]" in page
    assert places.startswith("[0 places")
    assert PIN not in page + places


def test_a_summary_is_made_without_it(desk: Company) -> None:
    desk.publish(**WINDOW, redact=ALL)
    WORLD.mishaps.append(lambda _: FOUND)
    reads = [proposes(("look_up", {"order_id": f"A-{number}"})) for number in range(16)]
    run = desk.run(alternating(desk, [*reads, says("Done.")], [says("Nothing much.")]), message=f"To {MAIL}.")
    assert leaked(desk) == []
    assert desk.facts(run, e.SUMMARY_REQUESTED)[0]["redacted"] == 5


# --- as a setting -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [["passport"], "card", [{}], {"card": 1}], ids=str)
def test_a_kind_that_nothing_finds_is_refused(company: Company, wrong: Any) -> None:
    assert sorted(REDACTED) == sorted(KINDS)
    behaviour = Behaviour(instructions="Help.", model="m", redact=wrong)
    with pytest.raises(ValidationFailed):
        draft_version(actor=company.cast.ada, identity=company.cast.agent, behaviour=behaviour)


def test_it_is_a_part_of_the_behaviour_and_older_ones_keep_their_names(company: Company) -> None:
    version = company.publish(redact=["card"])
    assert behaviour_of(version).redact == ("card",)
    plain = Behaviour(instructions="Help.", model="m")
    assert plain.digest() == Behaviour(instructions="Help.", model="m", redact=()).digest()
    assert plain.digest() != Behaviour(instructions="Help.", model="m", redact=("card",)).digest()
