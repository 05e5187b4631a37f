"""Staff start runs in their own name, where a version and a permission let them."""

from __future__ import annotations

import pytest
from guardian.shortcuts import assign_perm, remove_perm

from runs.models import Run
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.admin.pages import MODEL
from tests.runs.company import Company

pytestmark = [pytest.mark.console, pytest.mark.slow]


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
