"""Pages of runs, on runs that were really driven; outsiders see nothing."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from agentops.ledger.store import erase_contents
from runs.admin.pages import read_seen
from runs.models import Run
from tests.cast import Cast
from tests.console.visits import Page, count_queries, page_of, sign_in, text_of
from tests.factories import (
    AgentVersionFactory,
    RunFactory,
)
from tests.runs.admin.pages import MODEL, SCRIPT, show
from tests.runs.company import ORDER, Company, proposes, says

pytestmark = [pytest.mark.console, pytest.mark.slow]


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
        broke = page.split('class="told lane-broke')[1]
        assert "not allow listed" in broke.split("</li>")[0]

    def test_a_step_is_told_in_its_order_in_time(self, company: Company) -> None:
        """What broke first stands before what was executed then: the lanes are columns, not one after the other."""
        company.add_reads()
        run = company.run(proposes(("refund", ORDER), ("look_up", ORDER)), says("I may not refund."))
        page = show(sign_in(company.cast.bob), run).content.decode()
        told = [
            (int(seq), lane)
            for lane, seq in re.findall(r'class="told lane-(\w+)[^"]*" id="entry-(\d+)"', page)
        ]
        assert told == sorted(told)
        lanes = [lane for _, lane in told]
        assert lanes.index("broke") < lanes.index("executed")

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


def test_the_list_is_narrowed_by_agent(cast: Cast) -> None:
    version = AgentVersionFactory.create(identity=cast.agent, published=True)
    run = RunFactory.create(agent_version=version)
    client = sign_in(cast.bob)
    for slug, found in ((cast.agent.slug, True), ("another", False)):
        page = client.get(page_of(MODEL, "changelist"), {"agent": slug}).content.decode()
        assert (str(run.pk) in page) is found


def test_a_runs_page_costs_the_same_however_long_it_was(company: Company) -> None:
    company.add_reads()
    short = company.run(proposes(("look_up", ORDER)), says("Done."))
    long = company.run(*[proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(6)], says("Done."))
    client = sign_in(company.cast.bob)
    taken = [count_queries(client, page_of(MODEL, "change", run.pk)) for run in (short, long)]
    assert taken[0] == taken[1]
