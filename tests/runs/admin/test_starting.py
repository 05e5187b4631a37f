"""Staff start runs in their own name, where a version and a permission let them."""

from __future__ import annotations

import pytest
from guardian.shortcuts import assign_perm, remove_perm

from approvals.capacity import set_review_capacity
from runs.admin import runs
from runs.models import Priority, Run
from runs.services import start_run
from tests.cast import Cast
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.runs.admin.pages import MODEL
from tests.runs.changesets.proposing import prepare
from tests.runs.company import Company

pytestmark = [pytest.mark.console, pytest.mark.slow]

FILLED_IN = {
    "mode": "propose", "criteria": "She is content.\n\n  It is polite. ", "constraints": "One refund.",
    "forbidden": "send_email",
    "max_steps": "7", "max_tokens": "5000", "max_usd": "0.25", "max_seconds": "90", "priority": "high",
}  # fmt: skip
ASKED_FOR = {
    "goal": "Look at A-1.", "criteria": ["She is content.", "It is polite."], "constraints": ["One refund."],
    "forbidden": ["send_email"],
}  # fmt: skip


class TestStarting:
    @pytest.fixture(autouse=True)
    def _granted(self, cast: Cast) -> None:
        assign_perm("start_run", cast.bob, cast.agent)

    @pytest.mark.parametrize("granted", [True, False])
    def test_who_is_only_on_the_team_is_offered_nothing(self, company: Company, granted: bool) -> None:
        company.publish(principal_source="staff")
        if not granted:
            remove_perm("start_run", company.cast.bob, company.cast.agent)
        client = sign_in(company.cast.bob)
        form = {"agent": str(company.cast.agent.pk), "message": "Look at A-1."}
        assert ("no agent that you may start" in text_of(client.get(page_of(MODEL, "add")))) is not granted
        assert client.post(page_of(MODEL, "add"), form).status_code == (302 if granted else 422)
        assert Run.objects.exists() is granted

    def test_a_member_starts_a_run_in_their_own_name(self, company: Company) -> None:
        company.add_reads()
        company.publish(principal_source="staff")
        form = {"agent": str(company.cast.agent.pk), "message": "Look at A-1."}
        response = sign_in(company.cast.bob).post(page_of(MODEL, "add"), form)
        run = Run.objects.get()
        assert response["Location"] == page_of(MODEL, "change", run.pk)
        assert (run.started_by, run.principal.subject, run.application) == (company.cast.bob, "bob", None)

    def test_agents_of_other_teams_are_not_to_be_chosen(self, company: Company) -> None:
        company.add_reads()
        company.publish(principal_source="staff")
        form = {"agent": str(company.cast.agent.pk), "message": "Look at A-1."}
        response = sign_in(company.cast.charlie).post(page_of(MODEL, "add"), form)
        assert response.status_code == 422
        assert not Run.objects.exists()

    @pytest.mark.parametrize(("source", "offered"), [("staff", True), ("application", False)])
    def test_agents_of_applications_are_not_offered(
        self, company: Company, source: str, offered: bool
    ) -> None:
        company.publish(principal_source=source)
        client = sign_in(company.cast.bob)
        agent = page_of("identities_agentidentity", "change", company.cast.agent.pk)
        for page in (agent, page_of(MODEL, "changelist")):
            assert ("Start a run" in client.get(page).content.decode()) is offered
        assert ("no agent that you may start" in text_of(client.get(page_of(MODEL, "add")))) is not offered

    def test_nothing_is_started_without_words(self, company: Company) -> None:
        company.add_reads()
        company.publish(principal_source="staff")
        form = {"agent": str(company.cast.agent.pk), "message": ""}
        assert sign_in(company.cast.bob).post(page_of(MODEL, "add"), form).status_code == 422
        assert not Run.objects.exists()


class TestTheRunForm:
    @pytest.fixture(autouse=True)
    def _bounded(self, company: Company) -> None:
        assign_perm("start_run", company.cast.bob, company.cast.agent)
        set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=20)
        prepare(company)
        company.publish(principal_source="staff")

    def test_all_that_is_filled_in_is_in_the_run_and_its_first_entry(self, company: Company) -> None:
        assert send(company, **FILLED_IN).status_code == 302
        check(company)

    @pytest.mark.parametrize("lost", ["the form", "the priority"])
    def test_what_the_page_lost_would_be_missed(
        self, company: Company, monkeypatch: pytest.MonkeyPatch, lost: str
    ) -> None:
        change = {"the form": {"form": None}, "the priority": {"priority": Priority.NORMAL}}[lost]
        monkeypatch.setattr(runs, "start_run", lambda **values: start_run(**(values | change)))
        assert send(company, **FILLED_IN).status_code == 302
        with pytest.raises(AssertionError):
            check(company)

    def test_what_is_left_out_is_that_of_the_version(self, company: Company) -> None:
        assert send(company).status_code == 302
        run = Run.objects.select_related("agent_version").get()
        assert (run.mode, run.priority) == ("act", Priority.NORMAL)
        for name in ("max_steps", "max_tokens", "max_usd", "max_seconds"):
            assert getattr(run, name) == getattr(run.agent_version, name)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"max_steps": "0"}, "greater than or equal to 1"),
            ({"max_tokens": "many"}, "Enter a whole number"),
            ({"max_tokens": "9" * 15}, "Budget/tokens: more than 0, and at most the"),
            ({"max_seconds": "-5"}, "greater than or equal to 1"),
            ({"max_seconds": "9" * 9}, "Budget/seconds: more than 0, and at most the"),
            ({"max_usd": "0"}, "Budget/usd: more than 0, and at most the"),
            ({"max_usd": "NaN"}, "Enter a number"),
            ({"priority": "urgent"}, "urgent is not one of the available choices"),
            ({"mode": "dream"}, "dream is not one of the available choices"),
            ({"forbidden": "fly"}, "Forbidden: the agent has no tool 'fly'"),
            ({"criteria": "x" * 1_001}, "Criteria: at most 30, each of 1 to 1000 characters"),
        ],
    )
    def test_nonsense_starts_nothing_and_is_told_in_a_sentence(
        self, company: Company, given: dict[str, str], told: str
    ) -> None:
        page = send(company, **given)
        assert (page.status_code, told in text_of(page)) == (422, True)
        assert not Run.objects.exists()


def send(company: Company, **values: str) -> Page:
    form = {"agent": str(company.cast.agent.pk), "message": ASKED_FOR["goal"], **values}
    return sign_in(company.cast.bob).post(page_of(MODEL, "add"), form)


def check(company: Company) -> None:
    """Hold what was kept against what was filled in."""
    run = Run.objects.get()
    assert (run.mode, run.priority) == ("propose", Priority.HIGH)
    assert (run.max_steps, run.max_tokens, str(run.max_usd.normalize()), run.max_seconds) == (
        7,
        5000,
        "0.25",
        90,
    )
    assert "send_email" not in (run.limits or {})
    first = company.entries(run)[0]
    assert first.content is not None
    assert first.content["form"] == ASKED_FOR
    assert (first.facts["mode"], first.facts["priority"]) == ("propose", Priority.HIGH)
    assert {name: float(most) for name, most in first.facts["limits"].items()} == {
        "steps": 7, "tokens": 5000, "usd": 0.25, "seconds": 90,
    }  # fmt: skip
