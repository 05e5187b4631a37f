"""The pages on which people answer what runs ask: conversations, and runs at a limit."""

from __future__ import annotations

import pytest
from django.test import Client

from agentops.console.second_factor import SESSION_KEY
from runs.models import Extension, Handover, Run
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.admin.pages import SCRIPT, show
from tests.runs.company import Company, proposes, says
from tests.runs.test_extensions import look

pytestmark = [pytest.mark.console, pytest.mark.slow]

CONVERSATION, EXTENSION = "runs_handover", "runs_extension"


@pytest.fixture
def handed(company: Company) -> Handover:
    company.add_reads()
    company.run(
        proposes(("hand_over", {"reason": f"They shout. {SCRIPT}"})), says("Passed on."), message=SCRIPT
    )
    return Handover.objects.get()


@pytest.fixture
def asking(company: Company) -> Extension:
    company.add_reads()
    company.publish(max_steps=1, max_extensions=1, extension_percent=100)
    company.run(proposes(("look_up", {"order_id": "A-1"}), text=f"Next. {SCRIPT}"), look(2), says("Done."))
    return Extension.objects.get()


def act(client: Client, handover: Handover, **form: str) -> str:
    return text_of(client.post(page_of(CONVERSATION, "act", handover.pk), form, follow=True))


def test_a_conversation_is_claimed_read_and_given_back(company: Company, handed: Handover) -> None:
    alice = sign_in(company.cast.alice)
    page = alice.get(page_of(CONVERSATION, "change", handed.pk))
    assert "<script>alert" not in page.content.decode()
    assert "The user’s own words" in text_of(page)
    assert "It waits for a person’s answer." in text_of(page)
    assert "You are answering this now" in act(alice, handed, verb="claim")
    queue = text_of(sign_in(company.cast.ada).get(page_of(CONVERSATION, "changelist")))
    assert "alice is answering it" in queue
    assert "Nothing was changed." in act(sign_in(company.cast.ada), handed, verb="answer", text="Mine.")
    assert "given back to the agent" in act(alice, handed, verb="answer", text="Ring 555.")
    assert "Nothing was changed." in act(alice, handed, verb="answer", text="Again.")  # the back button
    assert company.drive(handed.run).state == "completed"


def test_a_conversation_is_ended(company: Company, handed: Handover) -> None:
    alice = sign_in(company.cast.alice)
    assert "Nothing was changed." in act(alice, handed, verb="close", text="No.", outcome="won")
    assert "has ended" in act(alice, handed, verb="close", text="No.", outcome="declined")
    assert company.drive(handed.run).state == "completed"


def test_who_may_not_answer_reads_and_an_outsider_sees_nothing(company: Company, handed: Handover) -> None:
    page = text_of(sign_in(company.cast.bob).get(page_of(CONVERSATION, "change", handed.pk)))
    assert "were not given conversations to answer: leave it to a colleague" in page
    queue = page_of(CONVERSATION, "changelist")
    assert "Take it upon yourself" not in text_of(
        sign_in(company.cast.bob).get(queue)
    )  # what only refuses is no offer
    assert "Take it upon yourself" in text_of(sign_in(company.cast.alice).get(queue))
    assert "Nothing was changed." in act(sign_in(company.cast.bob), handed, verb="claim")
    charlie = sign_in(company.cast.charlie)
    assert charlie.get(page_of(CONVERSATION, "change", handed.pk))["Location"] == "/admin/"
    assert "no such" in act(charlie, handed, verb="claim")
    assert charlie.get(page_of(CONVERSATION, "act", handed.pk)).status_code == 405
    assert Handover.objects.get().claimed_by is None


def decide(client: Client, extension: Extension, **form: str) -> str:
    return text_of(client.post(page_of(EXTENSION, "decide", extension.pk), form, follow=True))


def test_a_run_is_let_go_on(company: Company, asking: Extension) -> None:
    ada = sign_in(company.cast.ada)
    page = ada.get(page_of(EXTENSION, "change", asking.pk))
    assert "<script>alert" not in page.content.decode()
    assert "What is left, in the model’s words" in text_of(page)
    assert "asks to go on" in text_of(show(ada, asking.run))
    for bad in ({"steps": "x"}, {"steps": "2"}, {"steps": "1", "usd": "NaN"}, {}):
        assert "Nothing was changed." in decide(ada, asking, verdict="grant", **bad)
    assert "the run goes on" in decide(ada, asking, verdict="grant", steps="1")
    assert "Nothing was changed." in decide(ada, asking, verdict="grant", steps="1")
    assert Run.objects.get(pk=asking.run_id).max_steps == 2


def test_a_run_is_refused(company: Company, asking: Extension) -> None:
    ada = sign_in(company.cast.ada)
    assert "Nothing was changed." in decide(ada, asking, verdict="refuse")
    assert "halts at its limit" in decide(ada, asking, verdict="refuse", reason="Enough.")
    assert company.drive(asking.run).state == "halted"


def test_it_takes_a_fresh_factor(company: Company, asking: Extension) -> None:
    ada = sign_in(company.cast.ada)
    session = ada.session
    session[SESSION_KEY] = 0
    session.save()
    assert "Nothing was changed." in decide(ada, asking, verdict="grant", steps="1")
    assert "Nothing was done" in decide(ada, asking, verdict="grant", steps="1", code="000000")
    assert Extension.objects.get().state == "waiting"


def test_the_owner_is_told_why_they_cannot_and_an_outsider_sees_nothing(
    cast: Cast, company: Company, asking: Extension
) -> None:
    page = text_of(sign_in(cast.alice).get(page_of(EXTENSION, "change", asking.pk)))
    assert "the agent’s owner does not approve" in page.replace("'", "’")
    charlie = sign_in(cast.charlie)
    assert "no such" in decide(charlie, asking, verdict="grant", steps="1")
    assert charlie.get(page_of(EXTENSION, "decide", asking.pk)).status_code == 405
