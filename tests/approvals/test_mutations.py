"""10,000 calls that are one byte away from the one that was approved: none is made."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from django.utils import timezone
from pytest_django import Settings

from approvals import gate
from approvals.models import ApprovalRequest
from tests.approvals.laboratory import (
    Tried,
    approved_assessment,
    execute_counted,
    request_of,
    try_mutations,
    try_text,
    write_text,
)
from tests.approvals.test_gate import request_for
from tests.rewriting import rewrite
from tests.runs.company import HERE
from tests.runs.deeds import WORLD
from tools import permits
from tools.assessment import Assessment
from tools.permits import Permit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals, pytest.mark.slow]

SEED = 20261129
PARTS = {
    "approval", "arguments", "attempt", "digest", "identity", "key", "parent", "permit", "principal", "run",
    "state", "terms", "tool_version",
}  # fmt: skip


@dataclass
class Approved:
    """A call that somebody has approved, all there is to it as one text, and the right to it."""

    assessment: Assessment
    request: ApprovalRequest
    permit: Permit
    text: bytes

    def attack(self, count: int) -> Tried:
        return try_mutations(self.text, self.permit, self.assessment, count, SEED)


@pytest.fixture
def approved(settings: Settings) -> Iterator[Approved]:
    settings.TOOLS_PYTHON_MODULES = [HERE]
    WORLD.reset()
    quiet = logging.getLogger("tools.assessment")
    quiet.disabled = True  # terms that are none are told at length, with a traceback each
    assessment = approved_assessment()
    assert assessment.verdict == "REQUIRE_APPROVAL"
    request = request_for(**request_of(assessment))
    permit = gate.require(assessment, approval_id=request.pk, now=timezone.now())
    yield Approved(assessment, request, permit, write_text(assessment, request, permit))
    quiet.disabled = False
    WORLD.reset()


def test_the_text_of_the_call_that_was_approved_is_made_once(approved: Approved) -> None:
    """Or none of the others would prove anything."""
    assert try_text(approved.text) == "executed"
    assert try_text(approved.text) == "the permit", "it is used up"
    assert WORLD.attempts == ["refund"]


@pytest.mark.parametrize("count", [pytest.param(10_000, marks=pytest.mark.slow), 400])
def test_no_call_that_is_one_byte_away_is_made(
    approved: Approved, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = approved.attack(count)
    if count == 10_000:
        with capsys.disabled():
            print(f"\n{tried.tell()}")
    assert (tried.executed, WORLD.attempts) == (0, [])
    assert sum(tried.refused.values()) == count
    assert len(tried.parts) > 8
    assert set(tried.parts) == PARTS or count < 10_000
    assert try_text(approved.text) == "executed", "and the one that was approved still is"


def without_the_digest(patch: pytest.MonkeyPatch) -> None:
    """Have the gate ask for a standing approval under this key, whatever it was about."""
    rewrite(patch, gate, "_check_approval", "digest != assessment.digest or ", "")


def without_the_seal(patch: pytest.MonkeyPatch) -> None:
    """Have every permit do for every call."""
    seal = "not hmac.compare_digest(permit.seal.encode(), expected.encode())"
    rewrite(patch, permits, "check_permit", seal, "False")
    patch.setattr(permits, "_names", lambda *_: True)
    patch.setattr(permits, "_REMEMBERED", 0)


@pytest.mark.parametrize("also", ["the seal and the digest", "the seal"])
def test_mutant_without_its_guards_makes_calls_that_nobody_approved(
    approved: Approved, also: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seal holds the digest: behind the check of the one stands the other, and both have to go."""
    without_the_seal(monkeypatch)
    if "digest" in also:
        without_the_digest(monkeypatch)
    tried = approved.attack(300)
    assert tried.executed > 50
    assert len(WORLD.attempts) >= tried.executed


def test_mutant_without_the_digest_gives_permits_for_calls_that_nobody_approved(
    approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a permit of its own, which the gate then issues, such a call is made."""
    other = replace(approved.assessment, digest="e" * 64)
    other = replace(other, call=replace(other.call, arguments={"order_id": "A-1", "amount": "9999.00"}))
    without_the_digest(monkeypatch)
    permit = gate.require(other, approval_id=approved.request.pk, now=timezone.now())
    assert execute_counted(other, permit) == "executed"
