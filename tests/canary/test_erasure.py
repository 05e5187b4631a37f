"""A person is erased from everything at once: runs of every kind, what they left elsewhere, what was told of them."""

from __future__ import annotations

import re

import pytest
from django.conf import LazySettings

from approvals.models import ApprovalRequest
from identities.models import Principal
from runs import erasure
from runs.evaluation.sets import SetSpec, refresh_digest, save_set
from runs.examples.services import decide_example
from runs.forks.plans import Fork
from runs.forks.services import fork_run
from runs.models import EvaluationCase, Run
from runs.services import cancel_run
from tests.approvals.notices.conftest import deliver_all, make_channel, receiver
from tests.approvals.notices.receivers import Receiver
from tests.asking import kept_note
from tests.browser import hostile
from tests.browser.stage import HERE, SUBJECT, stage
from tests.runs import company as companies
from tests.runs.company import Company, says
from tests.runs.conftest import company
from tests.runs.evaluation.trying import tried
from tests.runs.furnishing import furnish, put_batch_together
from tests.runs.replays.forking import let_fork
from tests.runs.test_erasure import dump

__all__ = ["company", "receiver"]
pytestmark = [pytest.mark.canary, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

WROTE = re.compile(r"by-([a-z]+(?:-[a-z]+)*)")
# What is said of tools and of the house's own rules; no end user has a part in it.
OF_NOBODY = {
    "description", "server-tool", "server-description", "server-fault", "server-before", "server-trouble", "annotation",
    "annotated", "rejection",
}  # fmt: skip


@pytest.fixture
def talked(company: Company, receiver: Receiver, settings: LazySettings) -> Principal:
    """Return somebody who has been in every kind of run, in a note, a fork, a case, in batches and in notices."""
    settings.TOOLS_PYTHON_MODULES = [companies.HERE, HERE]
    make_channel(company.cast, receiver.url, name="told")
    stage(company)
    asked = ApprovalRequest.objects.filter(state="waiting", tool__name="refund", follows__isnull=False)
    put_batch_together(company, asked.get())
    talk = Run.objects.filter(state="completed", principal__subject=SUBJECT).earliest("created_at")
    kept_note(talk, step=2, text=hostile.hostile("note"))
    changed = Fork(talk.pk, 1, instructions=hostile.hostile("changed"))
    company.drive(fork_run(actor=let_fork(company.cast.alice), run=talk, fork=changed))
    learn_from(company, talk)
    furnish(company)
    deliver_all()
    company.is_mutant = True  # a note and a batch that no run has made
    return Principal.objects.get(subject=SUBJECT)


def learn_from(company: Company, talk: Run) -> None:
    """Make a case of a run, which is tried, and an example."""
    spec = SetSpec("everyday")
    row = save_set(actor=company.cast.ada, identity=company.cast.agent, spec=spec)[0]
    checks = [{"answer": {"contains": [hostile.brief("check")]}}]
    told = {"name": "of a run", "message": hostile.hostile("case"), "checks": checks}
    EvaluationCase.objects.create(evaluation_set=row, place=9, name="of a run", written=told, source_run=talk)
    refresh_digest(row)
    tried(company, row, says(hostile.hostile("tried")), version=talk.agent_version)
    why = hostile.hostile("learned")
    decide_example(actor=company.cast.ada, run=talk, verdict="approved", reason=why)


def written() -> set[str]:
    """Return whose words the database holds."""
    return {*WROTE.findall(dump())} - OF_NOBODY


def end_all(company: Company, person: Principal) -> None:
    """Take back what is still going on, children last to first."""
    for run in Run.objects.filter(principal=person).order_by("-created_at"):
        run.refresh_from_db()
        if not run.has_ended:
            cancel_run(actor=company.cast.ada, run=run, reason="They have left.")
            company.drive(run)


def test_a_person_is_erased_from_everything(company: Company, receiver: Receiver, talked: Principal) -> None:
    end_all(company, talked)
    assert len(written()) > 40, "there is much to erase"
    erasure.erase_principal(actor=company.cast.ada, principal=talked, reason="They asked for it.")
    assert written() == set()
    assert receiver.posted
    assert not [posted for posted in receiver.posted if b"by-" in posted.body], "nor was any of it told"


@pytest.mark.parametrize("guard", ["erase_memories", "erase_cases", "_pseudonymise"])
def test_without_a_part_of_it_words_are_left(
    company: Company, receiver: Receiver, talked: Principal, monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    monkeypatch.setattr(erasure, guard, lambda _: None)
    with pytest.raises(AssertionError):
        test_a_person_is_erased_from_everything(company, receiver, talked)
