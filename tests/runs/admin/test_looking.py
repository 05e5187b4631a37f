"""Looking closer at runs in the console."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client

from runs.models import Run
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.company import ORDER, Company, proposes, says

pytestmark = [pytest.mark.console, pytest.mark.slow]

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def run(company: Company) -> Run:
    company.add_reads()
    return company.run(proposes(("look_up", ORDER), text=SCRIPT), says("Done."), message=f"Help. {SCRIPT}")


@pytest.fixture
def alice(company: Company) -> Client:
    return sign_in(company.cast.alice)


def prompt_page(run: Run, step: int = 2) -> str:
    return page_of("runs_run", "prompt", run.pk, step)


def test_the_page_of_a_run_leads_to_what_the_model_was_shown(alice: Client, run: Run) -> None:
    page = alice.get(page_of("runs_run", "change", run.pk)).content.decode()
    assert prompt_page(run, 1) in page
    shown = alice.get(prompt_page(run))
    assert "The user’s own words Help." in text_of(shown)
    assert "answers call_1_1" in text_of(shown)
    assert SCRIPT not in shown.content.decode()


def test_an_outsider_sees_neither(company: Company, alice: Client, run: Run) -> None:
    charlie = sign_in(company.cast.charlie)
    compare = f"{page_of('runs_run', 'compare')}?one={run.pk}&other={run.pk}"
    for address in (prompt_page(run), compare):
        assert charlie.get(address).status_code == 404
        assert alice.get(address).status_code == 200


def test_no_such_step_or_run_is_no_fault(alice: Client, run: Run) -> None:
    compare = page_of("runs_run", "compare")
    asked = [f"{compare}{query}" for query in ("", "?one=x", f"?one={uuid4()}")]
    assert [alice.get(address).status_code for address in (prompt_page(run, 9), *asked)] == [404] * 4
    first = alice.get(f"{compare}?one={run.pk}", follow=True)
    assert "there is none before it to compare with" in text_of(first)


def test_two_runs_stand_side_by_side(company: Company, alice: Client, run: Run) -> None:
    other = company.run(proposes(("look_up", {"order_id": "A-2"})), says("Done."))
    listed = page_of("runs_run", "changelist")
    asked = alice.post(listed, {"action": "compare", "_selected_action": [str(run.pk), str(other.pk)]})
    page = alice.get(asked["Location"])
    assert "other arguments here they part" in text_of(page)
    before = alice.get(f"{page_of('runs_run', 'compare')}?one={other.pk}")
    assert "here they part" in text_of(before)
    one = alice.post(listed, {"action": "compare", "_selected_action": [str(run.pk)]})
    assert one["Location"] == listed
