"""Each guard of a decision, and what gets through once it is taken out: a refund that nobody rightly approved.

Where a second guard behind it still holds, both have to go before the refund goes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agentops.errors import AgentOpsError, StateConflict
from approvals import closing, duties, gate, services
from approvals.models import ApprovalRequest
from identities.models import AgentIdentity, User
from runs.models import Run
from tests.approvals.bending import no_database_guards
from tests.approvals.test_gate import assessed, permit_for, request_for
from tests.rewriting import rewrite
from tests.runs.company import Company

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("no_database_guards"),
    pytest.mark.approvals,
]

__all__ = ["no_database_guards"]

Attack = Callable[[Company, ApprovalRequest], None]
Mutant = Callable[[pytest.MonkeyPatch], None]


# --- attacks ----------------------------------------------------------------------------------------------


def approve(request: ApprovalRequest, actor: User, digest: str = "") -> None:
    request.refresh_from_db()
    values: dict[str, Any] = {"verdict": "approve", "reason": "", "channel": "api", "second_factor": True}
    services.decide(actor=actor, request=request, digest=digest or request.digest, **values)


def decide_late(company: Company, request: ApprovalRequest) -> None:
    now = timezone.now()
    ApprovalRequest.objects.update(
        created_at=now - timedelta(minutes=11), expires_at=now - timedelta(minutes=1)
    )
    approve(request, company.cast.fiona)


def decide_about_another_call(company: Company, request: ApprovalRequest) -> None:
    approve(request, company.cast.fiona, digest="e" * 64)


def decide_as_owner(company: Company, request: ApprovalRequest) -> None:
    company.let_decide(request.tool, company.cast.alice)
    approve(request, company.cast.alice)


def decide_as_owner_at_asking(company: Company, request: ApprovalRequest) -> None:
    AgentIdentity.objects.update(owner=company.cast.bob)
    request.identity.refresh_from_db()
    decide_as_owner(company, request)


def decide_as_starter(company: Company, request: ApprovalRequest) -> None:
    ApprovalRequest.objects.update(requested_by=company.cast.fiona)
    approve(request, company.cast.fiona)


# --- mutants ----------------------------------------------------------------------------------------------


def _open(patch: pytest.MonkeyPatch, old: str) -> None:
    patch.setattr(services, "check_open", rewrite(patch, closing, "check_open", old, "False"))


def without_expiry(patch: pytest.MonkeyPatch) -> None:
    _open(patch, "now >= request.expires_at")


def without_digest(patch: pytest.MonkeyPatch) -> None:
    _open(patch, "digest != request.digest")


def without(part: str) -> Mutant:
    return lambda patch: patch.delitem(duties.PARTS, part)


without_owner = without("owner")
without_starter = without("starter")


def forget(*passages: str) -> Mutant:
    """Return a mutant of the gate's statements without these passages."""

    def mutant(patch: pytest.MonkeyPatch) -> None:
        for name in ("_APPROVED", "CONSUME", "_STATES"):
            statement = getattr(gate, name)
            for passage in passages:
                statement = statement.replace(passage, "")
            patch.setattr(gate, name, statement)

    return mutant


without_the_owner_at_the_gate = forget(" AND u.id <> i.owner_id")
without_the_digest_at_the_gate = forget(" AND d.digest = a.digest", " AND e.facts ->> 'digest' = a.digest")

# The attack, how it is refused, the guard that refuses it, and the one behind that, if there is one.
GUARDS: list[tuple[Attack, str, Mutant, Mutant | None]] = [
    (decide_late, "approval_expired", without_expiry, None),
    (decide_about_another_call, "digest_changed", without_digest, without_the_digest_at_the_gate),
    (decide_as_owner, "owns_the_agent", without_owner, without_the_owner_at_the_gate),
    (decide_as_owner_at_asking, "owns_the_agent", without_owner, None),
    (decide_as_starter, "started_the_run", without_starter, None),
]
NAMES = [attack.__name__ for attack, *_ in GUARDS]


def is_refunded(company: Company, run: Run) -> bool:
    company.drive(run)
    return "refund" in company.world.attempts


@pytest.mark.parametrize(("attack", "code"), [guard[:2] for guard in GUARDS], ids=NAMES)
def test_the_attack_is_refused(
    company: Company, run: Run, waiting: ApprovalRequest, attack: Attack, code: str
) -> None:
    with pytest.raises(AgentOpsError) as refused:
        attack(company, waiting)
    assert refused.value.code == code
    assert not is_refunded(company, run)


@pytest.mark.parametrize(("attack", "_", "guard", "second"), GUARDS, ids=NAMES)
def test_without_the_guard_the_attack_succeeds(
    company: Company,
    run: Run,
    waiting: ApprovalRequest,
    monkeypatch: pytest.MonkeyPatch,
    attack: Attack,
    _: str,
    guard: Mutant,
    second: Mutant | None,
) -> None:
    company.is_mutant = True
    guard(monkeypatch)
    if second is not None:
        second(monkeypatch)
    attack(company, waiting)
    assert is_refunded(company, run)


@pytest.mark.parametrize(
    ("attack", "guard"),
    [(attack, guard) for attack, _, guard, second in GUARDS if second is not None],
    ids=[attack.__name__ for attack, _, _, second in GUARDS if second is not None],
)
def test_behind_the_guard_the_gate_still_holds(
    company: Company,
    run: Run,
    waiting: ApprovalRequest,
    monkeypatch: pytest.MonkeyPatch,
    attack: Attack,
    guard: Mutant,
) -> None:
    company.is_mutant = True
    guard(monkeypatch)
    attack(company, waiting)
    waiting.refresh_from_db()
    assert waiting.state == "approved"
    assert not is_refunded(company, run)


# --- the gate's own -----------------------------------------------------------------------------------------


def use_late() -> None:
    long_ago = timezone.now() - timedelta(hours=1)
    times: dict[str, Any] = {"created_at": long_ago, "expires_at": long_ago + timedelta(minutes=10)}
    permit_for(request_for(**times, decided_at=long_ago))


def use_for_another_call() -> None:
    request = request_for()
    permit_for(request, replace(assessed(request), digest="e" * 64))


@pytest.mark.parametrize(
    ("attack", "old"),
    [(use_late, "stale and not consumed"), (use_for_another_call, "digest != assessment.digest or ")],
)
def test_without_its_guard_the_gate_gives_a_permit(
    monkeypatch: pytest.MonkeyPatch, attack: Callable[[], None], old: str
) -> None:
    with pytest.raises(StateConflict):
        attack()
    rewrite(monkeypatch, gate, "_check_approval", old, "" if old.endswith("or ") else "False")
    attack()
