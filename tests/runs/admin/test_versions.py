"""Drafts say what they lack; only who governs publishes and retires."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runs.behaviour import behaviour_of
from runs.models import AgentVersion
from runs.publishing import draft_version
from tests.cast import Cast
from tests.console.visits import act, page_of, sign_in, text_of
from tests.factories import (
    AgentVersionFactory,
)
from tests.runs.company import Company
from tests.runs.test_indicators import complete, look, version

pytestmark = [pytest.mark.console, pytest.mark.slow]


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

    def test_what_its_runs_take_is_beside_what_those_of_the_version_before_took(
        self, company: Company
    ) -> None:
        first, second = version(company, 1, "retired"), version(company, 2, "published")
        client = sign_in(company.cast.alice)
        address = page_of("runs_agentversion", "change", second.pk)
        assert "What a completed run takes" not in text_of(client.get(address))
        complete(company, second, 25, "0.05", 3)
        assert "this version, 25 runs" in text_of(client.get(address))
        complete(company, first, 25, "0.01", 3)
        look()
        page = text_of(client.get(address))
        assert "this version, 25 runs v1, 25 runs" in page
        assert "cost, USD 0.0500 0.0100" in page
        assert "dearer than v1 found just now , after 20 runs: 0.0500 against 0.0100" in page
        assert "called worse in at most 1 of a hundred cases" in page
