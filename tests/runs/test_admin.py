"""Pages about runs, on runs that were really driven; every action is a service call, and outsiders get nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from agentops.ledger.store import erase_contents
from runs.admin.pages import read_seen
from runs.behaviour import behaviour_of
from runs.models import AgentVersion, BudgetWindow, Handover, Run
from runs.publishing import draft_version
from runs.services import cancel_run
from tests.cast import Cast
from tests.console.visits import Page, act, count_queries, page_of, sign_in, text_of
from tests.factories import (
    AgentVersionFactory,
    ApprovalRequestFactory,
    BudgetFactory,
    PrincipalFactory,
    RunFactory,
    ToolFactory,
)
from tests.ledger import kinds_of, last_entry
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import lose_reply

MODEL = "runs_run"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def show(client: Client, run: Run) -> Page:
    return client.get(page_of(MODEL, "change", run.pk))


def answer(client: Client, run: Run, **form: object) -> Page:
    given = {"step": "1", "call": "1", "text": "An answer.", **form}
    return client.post(page_of(MODEL, "answer", run.pk), given, follow=True)


@pytest.fixture
def finished(company: Company) -> Run:
    """A run that looked something up and answered."""
    company.add_reads()
    return company.run(
        proposes(("look_up", ORDER), text="I look it up."), says("It is on its way."), message="Where is it?"
    )


@pytest.fixture
def asking(company: Company) -> Run:
    """A run that waits for its user."""
    company.add_reads()
    return company.run(proposes(("ask_user", {"question": "Which order?"})), says("Thank you."))


class TestRunPage:
    def test_it_tells_request_decisions_effects_costs_and_answer(self, cast: Cast, finished: Run) -> None:
        page = text_of(show(sign_in(cast.bob), finished))
        assert "Refunds-Agent for customer-1" in page
        assert "The user’s own words Where is it?" in page
        assert "The answer, in the model’s words It is on its way." in page
        assert "The model’s words I look it up." in page
        assert "look_up: done" in page
        assert "order_id A-1" in page
        assert "2 of 12" in page
        assert f"{finished.usd:.4f} USD" in page or f"{finished.usd:.6f} USD" in page

    def test_every_entry_leads_to_its_proof(self, cast: Cast, finished: Run) -> None:
        page = show(sign_in(cast.bob), finished).content.decode()
        assert reverse("admin:ledger_stream_entry", args=[finished.pk, 3]) in page

    def test_what_broke_stands_in_its_own_lane(self, company: Company) -> None:
        company.add_reads()
        run = company.run(proposes(("refund", ORDER)), says("I may not do that."))
        page = show(sign_in(company.cast.bob), run).content.decode()
        broke = page.split('aria-label="broke"')[2]
        assert "not allow listed" in broke.split("</ol>")[0]

    def test_erased_words_are_missing_and_the_rest_stands(self, cast: Cast, finished: Run) -> None:
        with connection.cursor() as cursor:
            erase_contents(cursor, finished.pk)
        page = text_of(show(sign_in(cast.bob), finished))
        assert "Where is it?" not in page
        assert "look_up: done" in page

    def test_what_model_tool_and_user_wrote_stays_text(self, company: Company) -> None:
        company.add_tool("look_up", effect="read", description=SCRIPT)
        run = company.run(
            proposes(("look_up", {"order_id": SCRIPT}), (SCRIPT, ORDER), text=SCRIPT),
            says(SCRIPT),
            message=SCRIPT,
        )
        client = sign_in(company.cast.bob)
        tool = company.versions[0].tool
        ledger = reverse("admin:ledger_stream_change", args=[run.pk])
        for path in (page_of(MODEL, "change", run.pk), page_of("tools_tool", "change", tool.pk), ledger):
            page = client.get(path).content.decode()
            assert "&lt;script&gt;alert(1)" in page, path
            assert "<script>alert" not in page
            assert "<img src=x" not in page

    def test_an_outsider_does_not_see_it(self, cast: Cast, finished: Run) -> None:
        client = sign_in(cast.charlie)
        assert show(client, finished)["Location"] == "/admin/"
        assert str(finished.pk) not in client.get(page_of(MODEL, "changelist")).content.decode()

    @pytest.mark.parametrize("pk", ["not-an-id", "01a20386-50e5-721e-8a28-f528808dfbda"])
    def test_an_unknown_run_leads_back_to_the_dashboard(self, cast: Cast, pk: str) -> None:
        response = sign_in(cast.bob).get(page_of(MODEL, "change", pk), follow=True)
        assert "There is no such run" in text_of(response)


class TestLive:
    def follow(self, client: Client, run: Run, seen: str) -> Page:
        path = f"{page_of(MODEL, 'change', run.pk)}?seen={seen}"
        return client.get(path, headers={"HX-Request": "true", "HX-Target": "run-live"})

    def test_a_page_that_has_seen_everything_is_sent_nothing(self, cast: Cast, asking: Run) -> None:
        response = self.follow(sign_in(cast.bob), asking, read_seen(asking))
        assert (response.status_code, response.content) == (204, b"")

    def test_what_is_new_is_sent_as_a_part(self, cast: Cast, asking: Run) -> None:
        response = self.follow(sign_in(cast.bob), asking, "1-queued")
        assert response.content.decode().startswith('<div id="run-live"')
        assert "every 2s" in response.content.decode()

    def test_a_state_that_follows_without_an_entry_is_new(self, cast: Cast, asking: Run) -> None:
        seen = read_seen(asking)
        before, asking.state = asking.state, "cancelling"
        assert read_seen(asking) != seen
        Run.objects.update(state="cancelling")
        response = self.follow(sign_in(cast.bob), asking, seen)
        Run.objects.update(state=before)
        assert response.status_code == 200

    def test_an_ended_run_is_not_followed(self, cast: Cast, finished: Run) -> None:
        assert "every 2s" not in show(sign_in(cast.bob), finished).content.decode()

    def test_an_outsider_follows_nothing(self, cast: Cast, asking: Run) -> None:
        assert self.follow(sign_in(cast.charlie), asking, "").status_code == 404


class TestSteering:
    @pytest.mark.parametrize(
        ("action", "entry", "state", "said"),
        [("pause", "run.paused", "paused", "1 run paused."),
         ("cancel", "run.cancel_requested", "cancelling", "1 run asked to stop."),
         ("kill", "run.killed", "cancelling", "1 run killed.")],
    )  # fmt: skip
    def test_an_action_is_recorded_with_its_reason(
        self, cast: Cast, asking: Run, action: str, entry: str, state: str, said: str
    ) -> None:
        page = text_of(act(sign_in(cast.alice), MODEL, action, asking.pk, reason="Too slow."))
        asking.refresh_from_db()
        assert asking.state == state
        recorded = last_entry(asking.pk)
        assert (recorded.kind, recorded.actor, recorded.content) == (
            entry,
            cast.alice.pk,
            {"reason": "Too slow."},
        )
        assert said in page

    def test_a_paused_run_goes_on(self, company: Company, asking: Run) -> None:
        client = sign_in(company.cast.alice)
        act(client, MODEL, "pause", asking.pk)
        act(client, MODEL, "resume", asking.pk)
        assert kinds_of(asking.pk)[-2:] == ["run.paused", "run.unpaused"]

    def test_a_killed_run_halts(self, company: Company, asking: Run) -> None:
        act(sign_in(company.cast.alice), MODEL, "kill", asking.pk)
        assert company.drive(asking).state == "halted"

    def test_it_is_asked_for_first_and_needs_a_reason(self, cast: Cast, asking: Run) -> None:
        client, form = (
            sign_in(cast.alice),
            {"action": "kill", "_selected_action": str(asking.pk), "index": "0"},
        )
        before = kinds_of(asking.pk)
        assert "Kill this run?" in text_of(client.post(page_of(MODEL, "changelist"), form))
        confirmed = client.post(page_of(MODEL, "changelist"), {**form, "confirmed": "1", "reason": " "})
        assert "Say why" in text_of(confirmed)
        assert kinds_of(asking.pk) == before

    @pytest.mark.parametrize("action", ["pause", "resume", "cancel", "kill"])
    def test_an_outsider_steers_nothing(self, cast: Cast, asking: Run, action: str) -> None:
        before = kinds_of(asking.pk)
        act(sign_in(cast.charlie), MODEL, action, asking.pk)
        assert kinds_of(asking.pk) == before

    def test_what_a_service_refuses_is_said_in_its_words(self, cast: Cast, finished: Run) -> None:
        page = text_of(act(sign_in(cast.alice), MODEL, "cancel", finished.pk))
        assert "the run is completed" in page

    def test_buttons_fit_the_state(self, cast: Cast, asking: Run, company: Company) -> None:
        client = sign_in(cast.alice)
        offered = show(client, asking).content.decode()
        assert 'value="pause"' in offered
        assert 'value="resume"' not in offered
        act(client, MODEL, "pause", asking.pk)
        paused = show(client, asking).content.decode()
        assert 'value="resume"' in paused
        assert 'value="pause"' not in paused

    def test_many_are_refused_at_once(self, cast: Cast) -> None:
        version = AgentVersionFactory.create(identity=cast.agent, published=True)
        principal = PrincipalFactory.create(team=cast.team)
        runs = [RunFactory.create(agent_version=version, principal=principal) for _ in range(101)]
        page = act(sign_in(cast.alice), MODEL, "cancel", *[run.pk for run in runs])
        assert "Choose at most 100" in text_of(page)


class TestAnswers:
    def test_the_users_answer_goes_to_the_agent(self, company: Company, asking: Run) -> None:
        client = sign_in(company.cast.alice)
        assert "The agent asks the user The model’s words Which order?" in text_of(show(client, asking))
        answer(client, asking, type="input", text="The red one.")
        assert last_entry(asking.pk).content == {"text": "The red one."}
        assert company.drive(asking).state == "completed"

    def test_a_handover_is_answered_from_its_queue(self, company: Company) -> None:
        company.add_reads()
        run = company.run(
            proposes(("hand_over", {"reason": f"A lawyer writes. {SCRIPT}"})), says("Passed on.")
        )
        client = sign_in(company.cast.alice)
        queue = client.get(page_of("runs_handover", "changelist"))
        assert "A lawyer writes." in text_of(queue)
        assert "<script>alert" not in queue.content.decode()
        answer(client, run, type="handover", text="Ring 555.")
        handover = Handover.objects.get()
        assert (handover.answered_by, handover.answered_at is not None) == (company.cast.alice, True)
        assert company.drive(run).state == "completed"
        assert "Answered lately" in text_of(client.get(page_of("runs_handover", "changelist")))

    @pytest.mark.parametrize("ends", [False, True])
    def test_nobody_is_asked_to_answer_for_a_run_that_waits_no_more(
        self, company: Company, ends: bool
    ) -> None:
        company.add_reads()
        run = company.run(proposes(("hand_over", {"reason": "A lawyer writes."})), says("Never said."))
        client = sign_in(company.cast.alice)
        pages = page_of("runs_handover", "changelist"), "/admin/"
        assert all("A lawyer writes." in text_of(client.get(page)) for page in pages)
        cancel_run(actor=company.cast.alice, run=run)
        if ends:
            assert company.drive(run).state == "cancelled"
        assert not any("A lawyer writes." in text_of(client.get(page)) for page in pages)

    @pytest.mark.parametrize(("happened", "said"), [("yes", "happened"), ("no", "did not happen")])
    def test_an_unknown_outcome_is_settled_by_a_person(
        self, company: Company, happened: str, said: str
    ) -> None:
        company.add_tool("refund", effect="reversible", idempotency="none")
        company.world.mishaps.append(lose_reply)
        run = company.run(proposes(("refund", ORDER)), says("Settled."))
        client = sign_in(company.cast.alice)
        assert "Nobody knows whether this call happened" in text_of(show(client, run))
        page = answer(client, run, type="outcome", happened=happened, text="I looked at the bank.")
        assert f"the call {said}" in text_of(page)
        entry = last_entry(run.pk)
        assert (entry.kind, entry.facts["happened"], entry.actor) == (
            "outcome.settled", happened == "yes", company.cast.alice.pk,
        )  # fmt: skip
        assert company.drive(run).state == "completed"

    @pytest.mark.parametrize(
        "form",
        [{"type": "input", "text": ""}, {"type": "input", "step": "9"}, {"type": "input", "step": "x"},
         {"type": "handover"}, {"type": "outcome", "happened": "maybe"}, {"type": "nonsense"}, {}],
    )  # fmt: skip
    def test_an_answer_that_fits_nothing_changes_nothing(
        self, cast: Cast, asking: Run, form: dict[str, str]
    ) -> None:
        before = kinds_of(asking.pk)
        assert "Nothing was changed." in text_of(answer(sign_in(cast.alice), asking, **form))
        assert kinds_of(asking.pk) == before

    def test_an_outsider_answers_nothing(self, cast: Cast, asking: Run) -> None:
        before = kinds_of(asking.pk)
        answer(sign_in(cast.charlie), asking, type="input")
        assert kinds_of(asking.pk) == before

    def test_an_answer_is_a_post(self, cast: Cast, asking: Run) -> None:
        assert sign_in(cast.bob).get(page_of(MODEL, "answer", asking.pk)).status_code == 405


def test_the_list_is_narrowed_by_agent(cast: Cast) -> None:
    version = AgentVersionFactory.create(identity=cast.agent, published=True)
    run = RunFactory.create(agent_version=version)
    client = sign_in(cast.bob)
    for slug, found in ((cast.agent.slug, True), ("another", False)):
        page = client.get(page_of(MODEL, "changelist"), {"agent": slug}).content.decode()
        assert (str(run.pk) in page) is found


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


class TestVersions:
    def test_a_draft_says_what_it_lacks_and_what_to_do(self, cast: Cast) -> None:
        draft = AgentVersionFactory.create(identity=cast.agent, max_usd=None)
        page = text_of(sign_in(cast.bob).get(page_of("runs_agentversion", "change", draft.pk)))
        assert "no ceiling of US dollars" in page
        assert "Set max_usd above 0" in page

    def test_a_draft_with_faults_is_not_published(self, cast: Cast) -> None:
        draft = AgentVersionFactory.create(identity=cast.agent, max_usd=None)
        act(sign_in(cast.alice), "runs_agentversion", "publish", draft.pk)
        assert AgentVersion.objects.get().state == "draft"

    def test_publish_and_retire(self, company: Company) -> None:
        company.add_reads()
        published = company.publish()
        client = sign_in(company.cast.alice)
        act(client, "runs_agentversion", "retire", published.pk)
        published.refresh_from_db()
        assert published.state == "retired"

    @pytest.mark.parametrize("name", ["bob", "charlie"])
    def test_others_publish_nothing(self, company: Company, name: str) -> None:
        published = AgentVersion.objects.get(pk=company.publish().pk)
        behaviour = replace(behaviour_of(published), instructions="Help more.")
        draft = draft_version(actor=company.cast.alice, identity=company.cast.agent, behaviour=behaviour)
        act(sign_in(getattr(company.cast, name)), "runs_agentversion", "publish", draft.pk)
        draft.refresh_from_db()
        assert draft.state == "draft"
        act(sign_in(company.cast.alice), "runs_agentversion", "publish", draft.pk)
        draft.refresh_from_db()
        assert draft.state == "published"  # nothing but the right was missing

    @pytest.mark.parametrize("name", ["bob", "charlie"])
    def test_others_retire_nothing(self, company: Company, name: str) -> None:
        published = company.publish()
        act(sign_in(getattr(company.cast, name)), "runs_agentversion", "retire", published.pk)
        published.refresh_from_db()
        assert published.state == "published"


class TestDashboard:
    def test_every_number_counts_what_the_viewer_may_see(self, company: Company, cast: Cast) -> None:
        version = company.publish()
        principal = PrincipalFactory.create(team=cast.team)
        for state, usd in (("in_progress", "0.5"), ("failed", "1.25"), ("completed", "2")):
            RunFactory.create(agent_version=version, principal=principal, state=state, usd=Decimal(usd))
        parked = [{"type": "outcome", "step": 1, "call": 1}]
        RunFactory.create(
            agent_version=version, principal=principal, state="requires_action", required_actions=parked
        )
        RunFactory.create(
            agent_version=version, principal=principal, state="cancelled", required_actions=parked
        )
        ApprovalRequestFactory.create(identity=cast.agent, principal=principal)
        tool = ToolFactory.create(team=cast.team, name="stopped_tool")
        tool.forced_open_at, tool.forced_open_by = timezone.now(), cast.alice
        tool.save()
        budget = BudgetFactory.create(team=cast.team, max_usd=Decimal(10))
        midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        BudgetWindow.objects.create(budget=budget, starts_at=midnight, committed_usd=Decimal("7.5"))

        page = text_of(sign_in(cast.bob).get("/admin/"))
        for words in ("1 waiting for a decision", "2 runs going 1 wait for people", "3 broken today of 5 started",
                      "3.75 USD spent today", "1 open breakers", "7.50 of 10.00 USD", "stopped_tool",
                      "did a call happen?"):  # fmt: skip
            assert words in page

        outside = text_of(sign_in(cast.charlie).get("/admin/"))
        for words in (
            "0 waiting for a decision",
            "0 runs going",
            "0 broken today of 0 started",
            "0 open breakers",
        ):
            assert words in outside
        assert "stopped_tool" not in outside

    def test_every_number_leads_to_its_rows(self, cast: Cast) -> None:
        client = sign_in(cast.bob)
        version = AgentVersionFactory.create(identity=cast.agent, published=True)
        failed = RunFactory.create(agent_version=version, state="failed")
        done = RunFactory.create(agent_version=version, principal=failed.principal, state="completed")
        figures = client.get("/admin/").context["panels"][0].context["figures"]
        for figure in figures:
            assert client.get(figure.url).status_code == 200
        broken = next(figure for figure in figures if figure.label == "broken today")
        page = client.get(broken.url).content.decode()
        assert str(failed.pk) in page
        assert str(done.pk) not in page

    def test_it_costs_the_same_however_much_there_is(self, cast: Cast) -> None:
        client = sign_in(cast.bob)
        version = AgentVersionFactory.create(identity=cast.agent, published=True)
        principal = PrincipalFactory.create(team=cast.team)

        def fill(number: int) -> None:
            for _ in range(number):
                run = RunFactory.create(agent_version=version, principal=principal, state="failed")
                going = RunFactory.create(agent_version=version, principal=principal, state="requires_action")
                Handover.objects.create(
                    run=going, step=1, call=1, opened_at=timezone.now() - timedelta(hours=1)
                )
                ApprovalRequestFactory.create(
                    identity=cast.agent, principal=principal, subject_ref=str(run.pk)
                )

        fill(1)
        one = count_queries(client, "/admin/")
        fill(9)
        assert count_queries(client, "/admin/") == one


@pytest.mark.parametrize("model", ["runs_run", "runs_handover", "runs_agentversion", "runs_budget"])
def test_a_list_costs_the_same_however_long_it_is(cast: Cast, model: str) -> None:
    client = sign_in(cast.bob)
    principal = PrincipalFactory.create(team=cast.team)

    def fill(number: int) -> None:
        for _ in range(number):
            version = AgentVersionFactory.create(identity=cast.agent)
            run = RunFactory.create(agent_version=version, principal=principal)
            Handover.objects.create(run=run, step=1, call=1, opened_at=timezone.now())

    fill(1)
    one = count_queries(client, page_of(model, "changelist"))
    fill(7)
    assert count_queries(client, page_of(model, "changelist")) == one


def test_a_runs_page_costs_the_same_however_long_it_was(company: Company) -> None:
    company.add_reads()
    short = company.run(proposes(("look_up", ORDER)), says("Done."))
    long = company.run(*[proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(6)], says("Done."))
    client = sign_in(company.cast.bob)
    taken = [count_queries(client, page_of(MODEL, "change", run.pk)) for run in (short, long)]
    assert taken[0] == taken[1]
