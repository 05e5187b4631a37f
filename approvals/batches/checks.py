"""Whether one request may be decided together with others: looked at for many at once, and in words where not.

What ``approvals.services.decide`` asks is asked here of each request, and more: what needs a person's eyes by itself
is not decided in a crowd. The apps above add what only they know (``register_check``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agentops.console.words import plain_word
from approvals.batches.sealed import Asked, find_bent
from approvals.batches.seats import find_seats
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.models.requests import Factor
from approvals.policies import may_decide
from identities.models import User
from identities.roles import is_auditor

APPROVE = ApprovalDecision.Verdict.APPROVE
MOST_EXPLAINED = 100  # refusals that are looked into one by one; each takes some statements
NOT_OPENED, SAMPLE_NOT_OPENED = "not_opened", "sample_not_opened"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a request is not decided together with the others: a code, and words for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request with what was asked, and the digest that the person was shown."""

    request: ApprovalRequest
    asked: Asked | None
    shown: str


Found = Mapping[UUID, Exclusion]
Check = Callable[[Sequence[Candidate]], Found]
_checks: list[tuple[Check, bool]] = []


def register_check(check: Check, *, reaches_out: bool = False) -> None:
    """Have every preflight of an approval ask this too: given candidates, it names those that are not to be approved.

    One that ``reaches_out`` of the database (a tool's preview of the target's state) is asked before the batch is
    confirmed, never while rows are locked. It answers for many in few statements.
    """
    if (check, reaches_out) not in _checks:
        _checks.append((check, reaches_out))


def find_exclusions(
    actor: User, verdict: str, candidates: Sequence[Candidate], now: datetime, *, is_locked: bool
) -> dict[UUID, Exclusion]:
    """Return which of these may not be decided together, each with the first reason; the others may.

    ``is_locked``: their rows are locked, to be decided now.
    """
    found: dict[UUID, Exclusion] = {}
    left = list(candidates)
    for check in _list_checks(actor, verdict, now, is_locked):
        found |= check(left)
        left = [each for each in left if each.request.pk not in found]
        if not left:
            break
    return found


def _list_checks(actor: User, verdict: str, now: datetime, is_locked: bool) -> Iterator[Check]:
    yield _each(lambda each: find_closed(each, now))
    yield _each(find_unsealed)
    yield lambda left: find_not_theirs(actor, left)
    yield _each(find_key_needed)
    if verdict == APPROVE:
        yield _each(find_eyes_needed)
        yield from (check for check, reaches_out in _checks if not (is_locked and reaches_out))


def _each(look: Callable[[Candidate], Exclusion | None]) -> Check:
    def check(left: Sequence[Candidate]) -> Found:
        looked = ((each.request.pk, look(each)) for each in left)
        return {request: exclusion for request, exclusion in looked if exclusion is not None}

    return check


def find_closed(each: Candidate, now: datetime) -> Exclusion | None:
    """Refuse what is decided, expired, or not what the person was shown: as ``decide`` does."""
    request = each.request
    if request.state != ApprovalRequest.State.WAITING:
        code = "approval_expired" if request.state == ApprovalRequest.State.EXPIRED else "approval_decided"
        return Exclusion(code, f"it is {request.state} already")
    if now >= request.expires_at:
        return Exclusion("approval_expired", "it has expired; the agent was told so")
    if each.shown != request.digest:
        return Exclusion("digest_changed", "the call has changed since you loaded the page; look at it again")
    return None


def find_unsealed(each: Candidate) -> Exclusion | None:
    """Refuse what was bent in the database since it was asked."""
    if bent := find_bent(each.request, each.asked):
        return Exclusion("record_bent", f"{bent}: decide nothing about it, and tell whoever runs this system")
    return None


def find_not_theirs(actor: User, left: Sequence[Candidate]) -> Found:
    """Refuse what this person may not decide, themselves or for who is away: as a single decision does, for all."""
    if is_auditor(actor):
        return _refuse(left, Exclusion("is_an_auditor", "an auditor sees, and decides about nothing"))
    theirs = find_seats(actor, [each.request.pk for each in left])
    others = [each for each in left if each.request.pk not in theirs]
    told = _refuse(others, Exclusion("not_yours", "you may not decide about it; its own page says why"))
    return {**told, **dict(_explain(actor, others[:MOST_EXPLAINED]))}


def _explain(actor: User, others: Iterable[Candidate]) -> Iterator[tuple[UUID, Exclusion]]:
    for each in others:
        seat = may_decide(actor, each.request, second_factor=True)
        if not seat.allowed:
            yield each.request.pk, Exclusion(seat.code, seat.detail)


def _refuse(left: Iterable[Candidate], exclusion: Exclusion) -> dict[UUID, Exclusion]:
    return {each.request.pk: exclusion for each in left}


def find_key_needed(each: Candidate) -> Exclusion | None:
    """Refuse what somebody has to sign by itself."""
    if each.request.factor == Factor.KEY:
        return Exclusion("key_required", "its rule asks for your security key: decide it on its own page")
    return None


def find_eyes_needed(each: Candidate) -> Exclusion | None:
    """Refuse to approve in a crowd what is asked a reason for, what is doubtful, and what nobody can read any more."""
    if each.request.reason_required:
        return Exclusion("reason_required", "its rule asks why you approve it: decide it on its own page")
    if each.asked is None or each.asked.evidence is None:
        return Exclusion("words_erased", "its words were erased, so nobody can look at them")
    if doubts := each.asked.doubts:
        told = ", ".join(plain_word(code) for code in doubts)
        return Exclusion(
            "provenance_doubtful", f"a value of it is doubtful ({told}): decide it on its own page"
        )
    return None
