"""Calls that people edit where an argument is looked up, or bound to a decision."""

from __future__ import annotations

import pytest

from agentops.errors import ValidationFailed
from approvals.edits import Look, edit_call, look_at_edit
from approvals.models import ApprovalRequest
from runs.lookups import resolving
from runs.models import Run
from tests.rewriting import rewrite_text
from tests.runs.company import Company, says
from tests.runs.lookups.shop import BLUE, asks_people, cancels


@pytest.fixture
def waiting(shop: Company) -> Run:
    asks_people(shop)
    run = shop.run(cancels(BLUE), says("Done."), message="Please cancel the blue kettle, or the green lamp.")
    assert run.state == "requires_action"
    return run


def look(shop: Company, said: str) -> Look:
    request = ApprovalRequest.objects.get(state="waiting")
    return look_at_edit(
        actor=shop.cast.fiona, request=request, arguments={"order_id": said}, digest=request.digest
    )


def edit(shop: Company, said: str) -> None:
    request = ApprovalRequest.objects.get(state="waiting")
    edit_call(
        actor=shop.cast.fiona, request=request, arguments={"order_id": said}, digest=request.digest,
        edited=look(shop, said).digest, reason="", channel="api", second_factor=True,
    )  # fmt: skip


@pytest.mark.parametrize("said", ["the green lamp", "A-3"])
def test_what_a_person_says_is_looked_up_as_well(shop: Company, waiting: Run, said: str) -> None:
    assert look(shop, said).assessment.call.arguments == {"order_id": "A-3"}
    edit(shop, said)
    run = shop.drive(waiting)
    assert shop.states(run) == [("succeeded", "ok")]
    assert shop.content(run, "call.succeeded")["value"] == {"cancelled": "A-3"}


def test_what_fits_several_or_another_users_is_refused_at_the_look(shop: Company, waiting: Run) -> None:
    for said, code in (("kettle", "ambiguous_reference"), ("B-1", "unknown_reference")):
        with pytest.raises(ValidationFailed) as refused:
            look(shop, said)
        assert refused.value.code == code
    assert ApprovalRequest.objects.get().state == "waiting"


def test_without_the_seq_of_the_edit_what_was_looked_up_before_goes_out(
    shop: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.is_mutant = True
    edit(shop, "the green lamp")
    rewrite_text(monkeypatch, resolving, "_KEPT", "seq > %s AND", "%s IS NOT NULL AND")
    run = shop.drive(waiting)
    told = [entry.content["value"] for entry in shop.entries(run) if entry.kind == "call.succeeded"]
    assert {"cancelled": "A-3"} not in told
