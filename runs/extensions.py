"""Exhaustion as a decision: a run at a limit of its own asks, and a person grants a bounded amount more, or refuses."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agentops.amounts import plain_decimal
from agentops.engine import events as e
from agentops.engine.budgets import Amount
from agentops.engine.state import LimitReached, RunState
from agentops.errors import StateConflict, ValidationFailed
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import Cursor
from agentops.messages import send_after_commit
from agentops.text import is_blank
from identities.models import User
from runs import lease_rows, reserving, summaries
from runs.actions.subjects import WAKE_TASK
from runs.extending import may_extend
from runs.folding import read_state
from runs.models import AgentVersion, Extension, Run
from runs.session import Session, utc_now
from runs.steering import write_by_person

State = Extension.State
REASON_LIMIT = 2_000
CENT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class More:
    """How much more of each unit."""

    steps: int = 0
    tokens: int = 0
    usd: Decimal = Decimal(0)
    seconds: int = 0


def count_most(version: AgentVersion) -> More:
    """Return the most that may be granted at a time: a share of each limit of the version, rounded up."""

    def share(limit: int | None) -> int:
        return math.ceil((limit or 0) * version.extension_percent / 100)

    usd = ((version.max_usd or Decimal(0)) * version.extension_percent / 100).quantize(CENT)
    return More(share(version.max_steps), share(version.max_tokens), usd, share(version.max_seconds))


def ask_more(session: Session, limit: LimitReached) -> None:
    """Put before people that a run is at its limit: the question and the note that it waits stand or fall together."""
    session.commit()  # what has happened so far is told
    content = summaries.tell_progress(session)
    with session.orm_write() as write:
        asked = _write(session, limit, utc_now())
        spent = session.state.spent
        facts = {
            "limit": limit, "extension": str(asked.pk), "expires_at": asked.expires_at.isoformat(),
            "most": _tell(_most_of(asked)),
            "spent": {"steps": spent.steps, "tokens": spent.tokens, "usd": str(spent.usd),
                      "seconds": spent.worked_ms // 1000},
        }  # fmt: skip
        session.note(e.LIMIT_REACHED, facts, content)
        write([])


def _write(session: Session, limit: LimitReached, now: datetime) -> Extension:
    run = Run.objects.select_related("agent_version", "identity").get(pk=session.context.run_id)
    most, version = count_most(run.agent_version), run.agent_version
    asked: Extension = Extension.objects.create(
        id=new_id(), run=run, team_id=run.team_id, identity=run.identity, owner_id=run.identity.owner_id,
        limit=limit, most_steps=most.steps, most_tokens=most.tokens, most_usd=most.usd,
        most_seconds=most.seconds, created_at=now,
        expires_at=min(now + timedelta(seconds=version.extension_ttl_s), run.expires_at),
    )  # fmt: skip
    return asked


def grant_extension(
    *, actor: User, extension: Extension, more: More, second_factor: bool, reason: str = ""
) -> Extension:
    """Let a run go on with so much more, within what it asked for and what its shared budgets have left.

    That is reserved with the grant. Raises PolicyDenied, ValidationFailed for what was not asked, StateConflict when
    somebody has decided, it has expired, or a shared budget has too little left.
    """
    _check_words(reason)
    with transaction.atomic(), connection.cursor() as cursor:
        run, asked = _lock(actor, extension, second_factor=second_factor)
        _check_bound(asked, more)
        now, state = timezone.now(), read_state(cursor, run.pk)
        held, until = reserving.reserve(cursor, run, state, Amount(more.steps, more.tokens, more.usd), now)
        facts = {
            "extension": str(asked.pk), **_tell(more), "limits": _tell_limits(state, more),
            "drawn": {"steps": held.steps, "tokens": held.tokens, "usd": str(held.usd)},
            "until": until.isoformat(), "size": 300 + len(reason),
        }  # fmt: skip
        _append(cursor, run, Draft(e.BUDGET_EXTENDED, now, facts, _words(reason), actor.pk))
        Run.objects.filter(pk=run.pk).update(
            max_steps=run.max_steps + more.steps, max_tokens=run.max_tokens + more.tokens,
            max_usd=run.max_usd + more.usd, max_seconds=run.max_seconds + more.seconds,
        )  # fmt: skip
        return _close(asked, State.GRANTED, now, actor, **asdict(more))


def refuse_extension(*, actor: User, extension: Extension, reason: str, second_factor: bool) -> Extension:
    """Refuse a run to go on; it halts at its limit, as it would have without asking."""
    _check_words(reason)
    if is_blank(reason):
        raise ValidationFailed("reason_missing", "say why; the record keeps it")
    with transaction.atomic(), connection.cursor() as cursor:
        run, asked = _lock(actor, extension, second_factor=second_factor)
        now, facts = timezone.now(), {"extension": str(asked.pk), "code": "refused"}
        _append(cursor, run, Draft(e.EXTENSION_REFUSED, now, facts, _words(reason), actor.pk))
        return _close(asked, State.REFUSED, now, actor)


def expire_extensions(*, now: datetime, limit: int = 200) -> int:
    """Halt what nobody has let go on in time; return how many questions were closed."""
    due = Extension.objects.filter(state=State.WAITING, expires_at__lte=now).order_by("expires_at")
    return sum(_expire(asked, now) for asked in list(due[:limit]))


@transaction.atomic
def _expire(extension: Extension, now: datetime) -> bool:
    run = Run.objects.select_for_update().get(pk=extension.run_id)
    asked = Extension.objects.select_for_update().get(pk=extension.pk)
    if asked.state != State.WAITING:
        return False
    if run.has_ended:
        _close(asked, State.VOIDED, now)
        return True
    with connection.cursor() as cursor:
        facts = {"extension": str(asked.pk), "code": "expired"}
        _append(cursor, run, Draft(e.EXTENSION_REFUSED, now, facts))
    _close(asked, State.EXPIRED, now)
    return True


def void_extensions(run: UUID, now: datetime) -> int:
    """Close what a run asks no longer, in the caller's transaction."""
    return Extension.objects.filter(run=run, state=State.WAITING).update(state=State.VOIDED, decided_at=now)


def _lock(actor: User, extension: Extension, *, second_factor: bool) -> tuple[Run, Extension]:
    """Lock run and question in the order in which drivers do; raises unless this person may decide it now."""
    related = "identity", "team", "principal", "application"
    run = Run.objects.select_for_update(of=("self",)).select_related(*related).get(pk=extension.run_id)
    asked: Extension = Extension.objects.select_for_update(of=("self",)).get(pk=extension.pk)
    may_extend(actor, run, asked, second_factor=second_factor).enforce()
    if run.has_ended:
        raise StateConflict("run_ended", f"the run is {run.state}; nothing was changed")
    if asked.state != State.WAITING:
        raise StateConflict("extension_decided", f"this is {asked.state}; nothing was changed")
    if timezone.now() >= asked.expires_at:
        raise StateConflict("extension_expired", "nobody has decided in time; the run halts")
    return run, asked


def _check_bound(asked: Extension, more: More) -> None:
    for unit, most in asdict(_most_of(asked)).items():
        if not 0 <= getattr(more, unit) <= most:
            raise ValidationFailed("beyond_the_bound", f"{unit}: from 0 to {most}")
    if not getattr(more, asked.limit):
        raise ValidationFailed("nothing_granted", f"it is out of {asked.limit}: grant some, or refuse")


def _most_of(asked: Extension) -> More:
    return More(asked.most_steps, asked.most_tokens, asked.most_usd, asked.most_seconds)


def _append(cursor: Cursor, run: Run, draft: Draft) -> None:
    write_by_person(cursor, run, draft)
    lease_rows.ring(cursor, run.pk)
    send_after_commit(WAKE_TASK, str(run.pk), queue="critical")


def _close(asked: Extension, state: str, now: datetime, actor: User | None = None, **given: Any) -> Extension:
    asked.state, asked.decided_at, asked.decided_by = state, now, actor
    for name, value in given.items():
        setattr(asked, name, value)
    asked.save(update_fields=["state", "decided_at", "decided_by", *given])
    return asked


def _tell(more: More) -> dict[str, Any]:  # Any: JSON
    return {**asdict(more), "usd": plain_decimal(more.usd)}


def _tell_limits(state: RunState, more: More) -> dict[str, Any]:  # Any: JSON
    limits = state.limits
    usd = plain_decimal(limits.usd + more.usd)
    return {
        "steps": limits.steps + more.steps, "tokens": limits.tokens + more.tokens, "usd": usd,
        "seconds": limits.seconds + more.seconds,
    }  # fmt: skip


def _words(reason: str) -> dict[str, str] | None:
    return {"reason": reason} if reason.strip() else None


def _check_words(reason: str) -> None:
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")
