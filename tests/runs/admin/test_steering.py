"""Pausing, cancelling and killing by hand: every action is a service call, and outsiders get nowhere."""

from __future__ import annotations

import pytest

from runs.models import Run
from tests.cast import Cast
from tests.console.visits import act, page_of, sign_in, text_of
from tests.factories import (
    AgentVersionFactory,
    PrincipalFactory,
    RunFactory,
)
from tests.ledger import kinds_of, last_entry
from tests.runs.admin.pages import MODEL, show
from tests.runs.company import Company

pytestmark = [pytest.mark.console, pytest.mark.slow]


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
