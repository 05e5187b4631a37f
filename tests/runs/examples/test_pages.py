"""Examples in the console."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentops.ledger.models import Entry
from runs.models import Example
from tests.console.visits import act, page_of, sign_in, text_of
from tests.runs.company import Company
from tests.runs.evaluation.trying import ANSWERS, LOOKS
from tests.runs.examples.test_examples import gather, let

pytestmark = [pytest.mark.evaluation, pytest.mark.slow]


def test_a_run_is_approved_on_its_page_and_the_file_is_taken(company: Company) -> None:
    company.add_reads()
    run = company.run(LOOKS, ANSWERS)
    alice = sign_in(let(company.cast.alice, "approve_example", "export_example"))
    assert "Approve as an example" in text_of(alice.get(page_of("runs_run", "change", run.pk)))
    act(alice, "runs_run", "approve_example", run.pk)
    row = Example.objects.get()
    assert "approved" in text_of(alice.get(page_of("runs_example", "change", row.pk)))
    assert "Export for fine-tuning" in text_of(alice.get(page_of("runs_example", "changelist")))
    form = page_of("runs_example", "export")
    assert alice.post(form, {"agent": company.cast.agent.pk}).status_code == 422
    taken: Any = alice.post(form, {"agent": company.cast.agent.pk, "reason": "To tune."})
    assert taken.headers["Content-Disposition"] == 'attachment; filename="refunds-agent.jsonl"'
    assert len(asyncio.run(gather(taken.streaming_content)).splitlines()) == 2
    act(alice, "runs_run", "reject_example", run.pk)
    row.refresh_from_db()
    assert row.verdict == "rejected"


def test_who_may_not_is_offered_nothing_and_others_agents_are_not_named(company: Company) -> None:
    company.add_reads()
    run = company.run(ANSWERS)
    bob = sign_in(company.cast.bob)
    assert "as an example" not in text_of(bob.get(page_of("runs_run", "change", run.pk)))
    assert bob.get(page_of("runs_example", "export")).status_code == 403
    assert "Export" not in text_of(bob.get(page_of("runs_example", "changelist")))
    charlie = sign_in(let(company.cast.charlie, "approve_example", "export_example"))
    shown = {"agent": company.cast.agent.pk, "reason": "To tune."}
    assert charlie.post(page_of("runs_example", "export"), shown).status_code == 422
    assert not Entry.objects.filter(kind="examples.exported").exists()
