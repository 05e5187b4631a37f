"""Second looks: which requests are drawn for another person, and what that person says.

What is drawn follows from a seed that is on record and the request's id, which no agent and no decider chooses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from approvals.batches.sealed import read_asked
from approvals.models import ApprovalDecision, ApprovalRequest, OversightRule, SecondLook
from identities.models import User
from tools.findings import DOUBTS

REASON_LIMIT = 2_000
STREAM_KIND = "approval"
SPACE = 1 << 64


def is_drawn(seed: str, request: UUID, percent: int) -> bool:
    """Return whether a request is drawn: whoever draws again draws the same. Pure."""
    digest = hashlib.sha256(f"{seed}:{request}".encode()).digest()
    return int.from_bytes(digest[:8]) * 100 < percent * SPACE


def fits(rule: OversightRule, request: ApprovalRequest, codes: Iterable[str]) -> bool:
    """Return whether a request is one of those that a rule draws from: small enough, and without any doubt."""
    if rule.team_id != request.team_id or DOUBTS & set(codes):
        return False
    if rule.second_below is None or request.amount is None:
        return True
    return request.currency.casefold() == rule.currency.casefold() and request.amount < rule.second_below


def draw_before(request: ApprovalRequest, codes: Iterable[str]) -> OversightRule | None:
    """Return the rule by which somebody else looks at a request before its effect, if it is drawn."""
    rule = _find_rule(request.team_id, before_effect=True)
    if (
        rule is None
        or not fits(rule, request, codes)
        or not is_drawn(rule.seed, request.pk, rule.second_percent)
    ):
        return None
    return rule


def keep_before(request: ApprovalRequest, rule: OversightRule, stage: int, now: datetime) -> None:
    """Keep that a stage was added for somebody else's look."""
    SecondLook.objects.create(request=request, rule=rule, stage=stage, drawn_at=now)


def draw_after(requests: Sequence[ApprovalRequest], now: datetime) -> None:
    """Draw of requests that were approved just now, in the caller's transaction; however many, in few statements."""
    teams = {request.team_id for request in requests}
    rules = OversightRule.objects.standing().filter(team__in=teams, before_effect=False, second_percent__gt=0)
    by_team = {rule.team_id: rule for rule in rules}
    if not by_team:
        return
    drawn = [(request, by_team[request.team_id]) for request in requests if request.team_id in by_team]
    drawn = [
        (request, rule) for request, rule in drawn if is_drawn(rule.seed, request.pk, rule.second_percent)
    ]
    asked = read_asked(request.pk for request, _ in drawn)
    SecondLook.objects.bulk_create(
        [
            SecondLook(request=request, rule=rule, drawn_at=now)
            for request, rule in drawn
            if request.pk in asked and fits(rule, request, asked[request.pk].codes)
        ],
        ignore_conflicts=True,
    )


def _find_rule(team: UUID, *, before_effect: bool) -> OversightRule | None:
    rules = OversightRule.objects.standing().filter(team=team, before_effect=before_effect)
    found: OversightRule | None = rules.filter(second_percent__gt=0).first()
    return found


@transaction.atomic
def take_second_look(*, actor: User, look: SecondLook, agrees: bool, reason: str) -> SecondLook:
    """Say what a second person thinks of what was approved; it changes nothing about the call.

    Raises NotFound for one that is not theirs to see, PolicyDenied for who may not take it, StateConflict for one that
    was taken, ValidationFailed for a disagreement without a reason.
    """
    if not SecondLook.objects.visible_to(actor).filter(pk=look.pk).exists():
        raise NotFound("unknown_second_look", "there is no such second look")
    locked = SecondLook.objects.select_for_update().get(pk=look.pk)
    if locked.seen_at is not None:
        raise StateConflict("looked_already", "somebody has taken this second look; nothing was changed")
    if not SecondLook.objects.open_to(actor).filter(pk=look.pk).exists():
        detail = "it takes somebody else who may approve such calls, with no part in this one"
        raise PolicyDenied("not_a_second_person", detail)
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")
    if not agrees and is_blank(reason):
        raise ValidationFailed("reason_missing", "say why you disagree: the record keeps it")
    keep_look(locked, actor, agrees=agrees, now=timezone.now(), reason=reason)
    return locked


def keep_look(look: SecondLook, person: User, *, agrees: bool, now: datetime, reason: str = "") -> None:
    """Write what somebody says as a row and an entry of the request's stream, in the caller's transaction."""
    look.verdict = SecondLook.Verdict.AGREE if agrees else SecondLook.Verdict.DISAGREE
    look.seen_by, look.seen_at = person, now
    look.save(update_fields=["verdict", "seen_by", "seen_at"])
    facts = {"verdict": look.verdict, "rule": str(look.rule_id)}
    record(look.pk, STREAM_KIND, Draft("approval.second_look", now, facts, {"reason": reason}, person.pk))


def note_second_yes(request: ApprovalRequest, person: User, verdict: str, now: datetime) -> None:
    """Keep what somebody decides in a stage that was added for a second look, as what they say; else nothing."""
    says = {ApprovalDecision.Verdict.APPROVE: True, ApprovalDecision.Verdict.DENY: False}
    if verdict not in says:
        return
    look = SecondLook.objects.filter(pk=request.pk, stage=request.stage, seen_at=None).first()
    if look is not None:
        keep_look(look, person, agrees=says[ApprovalDecision.Verdict(verdict)], now=now)
