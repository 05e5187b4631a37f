"""A call that a person edited outlives its workers: it is made once, as its editor has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from approvals.edits import edit_call, look_at_edit
from approvals.models import ApprovalRequest
from runs.chaos.trap import Side, Verdict
from tests.runs.company import Company, proposes, says
from tests.runs.conftest import company
from tests.undo.desk import Desk, open_desk

__all__ = ["company"]  # a fixture
pytestmark = [pytest.mark.crash, pytest.mark.slow]


@pytest.fixture
def desk(company: Company, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(company, tmp_path) as found:
        yield found


@pytest.mark.parametrize(("side", "verdict"), [("before", "drop"), ("after", "go")])
def test_a_worker_dies_between_the_edit_and_its_effect(desk: Desk, side: Side, verdict: Verdict) -> None:
    company, tool = desk.company, desk.tool("make_keep")
    company.grant(tool, "REQUIRE_APPROVAL")
    company.let_decide(tool)
    company.play(proposes(("make_keep", {"effect": "proposed"})), says("Done."))
    desk.work()
    run = desk.waits(company.start())
    request, fiona = ApprovalRequest.objects.get(), company.cast.fiona
    wanted = {"effect": "edited"}
    look = look_at_edit(actor=fiona, request=request, arguments=wanted, digest=request.digest)
    edit_call(
        actor=fiona, request=request, arguments=wanted, digest=request.digest, edited=look.digest, reason="",
        channel="api", second_factor=True,
    )  # fmt: skip
    with desk.held("keep", side, verdict):
        assert desk.kill_driver_of(run)
    desk.ended(run, "completed")
    assert desk.happened() == [("make_keep", "edited")]
    assert ApprovalRequest.objects.filter(state="approved", consumed_at__isnull=False).count() == 1
