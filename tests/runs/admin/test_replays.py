"""Replaying and forking runs in the console."""

from __future__ import annotations

import pytest
from django.test import Client

from runs.forks.plans import read_fork
from runs.models import Run
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.replays.forking import let_fork

pytestmark = [pytest.mark.console, pytest.mark.slow]


@pytest.fixture
def run(company: Company) -> Run:
    company.add_tool("refund", grant="ALLOW")
    return company.run(proposes(("refund", ORDER)), says("Done."))


@pytest.fixture
def alice(company: Company) -> Client:
    return sign_in(let_fork(company.cast.alice))


def form(run: Run, **changes: object) -> dict[str, object]:
    version = run.agent_version
    return {"step": 1, "instructions": version.instructions, "model": version.model} | changes


def test_the_page_of_a_run_leads_to_its_replay_and_its_fork(alice: Client, run: Run) -> None:
    page = alice.get(page_of("runs_run", "change", run.pk)).content.decode()
    assert page_of("runs_run", "replay", run.pk) in page
    assert page_of("runs_run", "fork", run.pk) in page


def test_a_replay_is_shown(alice: Client, run: Run) -> None:
    shown = text_of(alice.get(page_of("runs_run", "replay", run.pk)))
    assert "everything was decided again as it is recorded" in shown
    assert "2 made again and compared" in shown


def test_what_differs_is_shown_with_where(company: Company, alice: Client, run: Run) -> None:
    company.is_mutant = True
    Run.objects.filter(pk=run.pk).update(tokens=1)
    assert "what the run's row says" in text_of(alice.get(page_of("runs_run", "replay", run.pk))).replace(
        "’", "'"
    )


def test_a_fork_is_started_with_what_was_changed_and_leads_back(
    company: Company, alice: Client, run: Run
) -> None:
    address = page_of("runs_run", "fork", run.pk)
    assert run.agent_version.instructions in alice.get(address).content.decode()
    started = alice.post(address, form(run, tool="refund", decision="DENY"))
    made = run.forks.get()
    assert started.headers["Location"] == page_of("runs_run", "change", made.pk)
    assert (read_fork(made.pk).changed, read_fork(made.pk).instructions) == (["policy"], None)
    company.play(proposes(("refund", ORDER)), says("No."))
    company.drive(made)
    page = alice.get(page_of("runs_run", "change", made.pk))
    assert "A fork of an earlier run" in text_of(page)
    compared = alice.get(f"{page_of('runs_run', 'compare')}?one={run.pk}&other={made.pk}")
    assert "Where they part" in text_of(compared)


def test_what_is_wrong_is_said_at_the_form(alice: Client, run: Run) -> None:
    answer = alice.post(page_of("runs_run", "fork", run.pk), form(run, step=7))
    assert (answer.status_code, run.forks.count()) == (422, 0)
    assert "he run has steps 1 to 2" in text_of(answer)


def test_who_may_not_gets_no_form_and_others_find_nothing(company: Company, run: Run) -> None:
    bob, charlie = sign_in(company.cast.bob), sign_in(company.cast.charlie)
    assert bob.get(page_of("runs_run", "fork", run.pk)).status_code == 403
    for name in ("fork", "replay"):
        assert charlie.get(page_of("runs_run", name, run.pk)).status_code == 404
    assert not run.forks.exists()
