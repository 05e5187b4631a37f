"""Each guard of a confirmation taken away: without it, something goes out that its user has not confirmed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from agentops.errors import AgentOpsError
from approvals import gate
from approvals.confirmations import answering, standing
from approvals.models import Confirmation
from identities.models import Application
from identities.oauth.issuers import ProvenUser
from runs.actions import assessing, executing
from runs.models import Run
from runs.services import add_message
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import ISSUER, SUBJECT, Company, says
from tests.runs.test_confirmations import REFUND, answer, app, asked, believe_issuer
from tools import assessment, permits, policy

Attack = Callable[[Company, Run], None]


def start(company: Company) -> Run:
    company.add_tool("refund", grant="ALLOW", grant_confirmation=True)
    return company.run(REFUND, says("Done."))


def nothing(company: Company, run: Run) -> None:
    """Leave the user out."""


def forge(company: Company, run: Run) -> None:
    """Write the row, and no word of anybody."""
    Confirmation.objects.update(state="confirmed", decided_at=timezone.now(), proof="asserted")


def distrust(company: Company, run: Run) -> None:
    """Trust the application no more."""
    answer(company)
    Application.objects.filter(pk=company.cast.application.pk).update(may_assert_users=False)


def speak_as(**changes: Any) -> Attack:
    def attack(company: Company, run: Run) -> None:
        actor: dict[str, Any] = {"actor": company.cast.ada} if changes.get("staff") else {}
        given = {name: value for name, value in changes.items() if name != "staff"}
        answer(company, **actor, **given)

    return attack


def splice(company: Company, run: Run) -> None:
    """Present a token of somebody else."""
    believe_issuer(company)
    answer(company, proven=ProvenUser(app(company).pk, ISSUER, "customer-2"), named=None)


def distrusted_word(company: Company, run: Run) -> None:
    Application.objects.filter(pk=company.cast.application.pk).update(may_assert_users=False)
    answer(company)


def other_terms(company: Company, run: Run) -> None:
    answer(company)
    company.grant(company.versions[0].tool, "ALLOW", confirmation=True, approval_ttl_s=599)


def another_digest(company: Company, run: Run) -> None:
    answer(company, digest="0" * 64)


def too_late(company: Company, run: Run) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=700), tick=False):
        answer(company)


def outdated(company: Company, run: Run) -> None:
    answer(company)
    Confirmation.objects.update(decided_at=timezone.now() - timedelta(hours=1))


def written_since(company: Company, run: Run) -> None:
    answer(company)
    add_message(actor=app(company), run=run, text="Wait!")


def _void_still_counts(company: Company, run: Run) -> None:
    question = asked()
    answer(company)
    Confirmation.objects.filter(pk=question.pk).update(state="voided")


ATTACKS: dict[str, Attack] = {
    "nobody is asked": nothing,
    "the row is enough": forge,
    "an application that is trusted no more": distrust,
    "a bare word": distrusted_word,
    "staff": speak_as(staff=True),
    "another user's token": splice,
    "another user's name": speak_as(named=(ISSUER, f"{SUBJECT}0")),
    "other terms": other_terms,
    "another digest": another_digest,
    "too late": too_late,
    "outdated": outdated,
    "the user wrote since": written_since,
    "void": _void_still_counts,
}


def lets_through(company: Company, attack: Attack) -> bool:
    """Return whether anything goes out, once somebody has tried."""
    run = start(company)
    try:
        attack(company, run)
    except AgentOpsError:
        return False
    company.drive(run)
    return bool(company.world.attempts)


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_goes_out(company: Company, name: str) -> None:
    company.is_mutant = True  # rows are bent past the ledger
    assert not lets_through(company, ATTACKS[name])


Patch = Callable[[pytest.MonkeyPatch], None]


def code(module: ModuleType, name: str, old: str, new: str) -> Patch:
    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        rewrite(monkeypatch, module, name, old, new)

    return patch


def text(name: str, old: str, new: str) -> Patch:
    return lambda patch: rewrite_text(patch, standing, name, old, new)


CHECK = "check_confirmation"
# The gate looks and the attempt's transaction looks again: both are taken away where one alone would hold.
MUTANTS: dict[str, tuple[str, list[Patch]]] = {
    "the term is not read": ("nobody is asked", [code(policy, "needs_confirmation", "any(", "False and any(")]),
    "the assessment forgets it": (
        "nobody is asked",
        [code(assessment, "_assess_valid", "confirms=needs_confirmation(standing),", "confirms=False,")],
    ),
    "trust may go": (
        "an application that is trusted no more",
        [text("_CONFIRMED", standing._MAY_STILL, "true"), text("CONSUME", standing._MAY_STILL, "true")],
    ),
    "the record is not asked": (
        "the row is enough",
        [text("_STATES", standing._ON_RECORD, "true"), text("_CONFIRMED", standing._ON_RECORD, "true"),
         text("CONSUME", standing._ON_RECORD, "true")],
    ),
    "a word is enough": (
        "a bare word",
        [code(answering, "prove_answer", "named is None or not application.may_assert_users", "named is None"),
         text("_CONFIRMED", standing._MAY_STILL, "true"), text("CONSUME", standing._MAY_STILL, "true")],
    ),
    "any token will do": (
        "another user's token",
        [code(answering, "prove_answer", "if not proven.proves(actor, principal):", "if False:")],
    ),
    "any user will do": (
        "another user's name", [code(answering, "prove_answer", "if named != principal:", "if False:")]
    ),
    "other terms pass": (
        "other terms",
        [code(standing, CHECK, "digest != assessment.digest or ", ""),
         text("CONSUME", "AND c.digest = %(digest)s AND c.key", "AND c.key")],
    ),
    "any digest will do": (
        "another digest",
        [code(answering, "_check_open", "if digest != confirmation.digest:", "if False:"),
         text("_STATES", standing._ON_RECORD, "true"), text("_CONFIRMED", standing._ON_RECORD, "true"),
         text("CONSUME", standing._ON_RECORD, "true")],
    ),
    "it never expires": (
        "too late",
        [code(answering, "_check_open", "if now >= confirmation.expires_at:", "if False:"),
         text("_CONFIRMED", standing._STALE, "false"), text("CONSUME", standing._STALE, "false")],
    ),
    "it never grows old": (
        "outdated", [text("_CONFIRMED", standing._STALE, "false"), text("CONSUME", standing._STALE, "false")]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_each_guard_is_missed(company: Company, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attack, patches = MUTANTS[name]
    company.is_mutant = True
    for patch in patches:
        patch(monkeypatch)
    monkeypatch.setattr(gate, CHECK, standing.check_confirmation)
    monkeypatch.setattr(assessment, "needs_confirmation", policy.needs_confirmation)
    monkeypatch.setattr(executing, "consume_confirmation", standing.consume_confirmation)
    assert lets_through(company, ATTACKS[attack])


FORGETFUL = 'assessment.confirms and assessment.verdict != "DENY"'


@pytest.mark.parametrize("has_permits", [True, False])
def test_whoever_forgets_to_ask_gets_no_permit_either(
    company: Company, monkeypatch: pytest.MonkeyPatch, has_permits: bool
) -> None:
    company.is_mutant = True
    rewrite(monkeypatch, assessing, "_assess_one", "assessment.confirms and not assessment.replay", "False")
    rewrite(monkeypatch, gate, "require", FORGETFUL, "False")
    if not has_permits:
        needed = "assessment.confirms and confirmation_id is None"
        changed = rewrite(monkeypatch, permits, "issue_permit", needed, "False")
        monkeypatch.setattr(gate, "issue_permit", changed)
    assert lets_through(company, nothing) is not has_permits
