"""What keeps an edit from letting anything through, and what is done of it when drivers die."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from agentops.engine.state import RunState
from agentops.errors import AgentOpsError
from approvals import carrying, edits
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.services import request_approval
from identities.models import User
from runs.actions import gating
from runs.models import Run
from runs.services import add_message
from runs.undoing.services import undo_run
from tests.approvals.bending import unguarded
from tests.rewriting import rewrite
from tests.runs.company import Company, proposes, says
from tests.runs.test_driver import crash, drive_and_crash
from tests.runs.test_edits import HIGH, LOW, add_refund, ask_for, edit, look, refund, refused, waiting
from tools.models import ToolVersion

__all__ = ["refund", "waiting"]


# --- guards -----------------------------------------------------------------------------------------------


def test_a_yes_by_edit_needs_the_edit(company: Company, waiting: Run) -> None:
    request = ApprovalRequest.objects.get()
    row = {
        "request": request, "verdict": "approve", "decided_by": company.cast.fiona, "channel": "api",
        "digest": request.digest, "decided_at": request.created_at, "by_edit": True,
    }  # fmt: skip
    with pytest.raises(ProgrammingError, match="nobody has edited"), transaction.atomic():
        ApprovalDecision.objects.create(**row)


def test_nobody_becomes_the_editor_afterwards(company: Company, waiting: Run) -> None:
    with pytest.raises(ProgrammingError, match="is final"), transaction.atomic():
        ApprovalRequest.objects.update(edited_by=company.cast.fiona)
    assert ApprovalRequest.objects.get().edited_by is None


@pytest.mark.parametrize("column", ["digest", "key"])
def test_what_is_bent_after_an_edit_lets_nothing_through(company: Company, waiting: Run, column: str) -> None:
    company.play(says("Done."))
    edit(company, LOW)
    bent = {column: "e" * 64}

    def ask_and_bend(**values: Any) -> ApprovalRequest:
        made = request_approval(**values)
        ApprovalRequest.objects.filter(pk=made.pk).update(**bent)
        return made

    with pytest.MonkeyPatch.context() as patch, unguarded():
        patch.setattr(gating, "request_approval", ask_and_bend)
        run = company.drive(waiting)
    assert company.states(run)[0][0] == "refused"
    assert company.world.attempts == []


def test_a_state_without_its_edit_is_no_edit(company: Company, waiting: Run) -> None:
    ApprovalRequest.objects.update(state="edited", decided_at=timezone.now())
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_not_recorded")]


def test_an_undo_is_not_edited(company: Company) -> None:
    company.add_tool("cancel", effect="irreversible", grant="REQUIRE_APPROVAL")
    add_refund(
        company, effect="reversible", grant="ALLOW",
        undo={"kind": "compensable", "tool": "cancel", "arguments": {"order_id": "$arguments.order_id"}},
    )  # fmt: skip
    company.let_decide(company.versions[0].tool)
    done = company.run(proposes(("refund", HIGH)), says("Done."))
    company.drive(undo_run(actor=company.cast.ada, run=done, reason="A mistake."))
    assert refused(company, {"order_id": "B-2"}, edited="e" * 64) == "is_an_undo"


# --- mutants ----------------------------------------------------------------------------------------------


def test_without_the_guard_of_the_digest_other_terms_count_as_signed(
    company: Company, refund: ToolVersion, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate behind it would still ask for a decision about this digest: it is written about the new one."""
    company.is_mutant = True
    rewrite(monkeypatch, carrying, "count_edit", " or edit.digest != request.digest", "")
    monkeypatch.setattr("approvals.services.count_edit", carrying.count_edit)
    edit(company, LOW)
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    with unguarded():
        run = company.drive(waiting)
    assert company.states(run) == [("succeeded", "ok")]  # nobody has seen these terms


def test_without_the_trigger_anybody_has_edited(company: Company, waiting: Run) -> None:
    company.is_mutant = True
    request = ApprovalRequest.objects.get()
    with unguarded():
        ApprovalRequest.objects.update(edited_by=company.cast.fiona)
        ApprovalDecision.objects.create(
            request=request, verdict="approve", decided_by=company.cast.fiona, channel="api", digest=request.digest,
            decided_at=request.created_at, by_edit=True,
        )  # fmt: skip
        ApprovalRequest.objects.update(state="approved", decided_at=request.created_at)
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_not_recorded")]  # the gate asks the ledger, too


def test_without_the_users_last_words_an_edit_goes_out(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    rewrite(monkeypatch, gating, "_heed", " and not session.state.unread and", " and")
    monkeypatch.setattr(RunState, "unread", False)
    edit(company, LOW)
    add_message(actor=company.cast.application.service_account, run=waiting, text="Never mind.")
    company.drive(waiting)
    assert len(company.world.effects) == 1


# --- drivers that die -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",
    [
        "runs.driver.assessing.assess_calls",
        "runs.actions.gating.request_approval",
        "runs.actions.executing.execute",
    ],
)
def test_a_driver_that_dies_after_an_edit_leaves_it_to_the_next(
    company: Company, refund: ToolVersion, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    waiting = ask_for(company, HIGH)
    edit(company, LOW)
    with monkeypatch.context() as patch:
        patch.setattr(point, crash)
        drive_and_crash(company, waiting)
    run = company.drive(waiting)
    if run.state != "completed":  # a lost attempt is tried again a little later
        run = company.drive(run)
    assert company.kinds(run).count("call.edited") == 1
    assert len(company.world.effects) == 1
    assert ApprovalDecision.objects.filter(verdict="approve").count() == 1


def test_two_editors_at_once_are_one(company: Company, waiting: Run) -> None:
    company.let_decide(company.versions[0].tool, company.cast.bob)
    request = ApprovalRequest.objects.get()
    wanted = {
        person: {**LOW, "amount": f"{n}.00"}
        for n, person in enumerate((company.cast.fiona, company.cast.bob))
    }
    seen = {person: look(company, arguments, person).digest for person, arguments in wanted.items()}

    def send(person: User) -> str:
        try:
            edits.edit_call(
                actor=person, request=request, arguments=wanted[person], digest=request.digest, edited=seen[person],
                reason="", channel="api", second_factor=True,
            )  # fmt: skip
        except AgentOpsError as error:
            return error.code
        finally:
            connection.close()
        return "edited"

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(send, wanted))
    assert told == ["approval_decided", "edited"]
    run = company.drive(waiting)
    assert (company.states(run), len(company.world.effects)) == ([("succeeded", "ok")], 1)
