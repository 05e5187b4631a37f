"""The end user's answer, told by their application: never by staff or the agent, and on nobody's bare word."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import read_entries_for_people, record
from approvals.closing import check_words
from approvals.confirmations.asking import STREAM_KIND, close_confirmation
from approvals.models import Confirmation
from identities.models import Application, User
from identities.oauth.issuers import ProvenUser

Principal = tuple[str, str]  # issuer and subject
VERDICTS = {"confirm": ("confirmed", "confirmation.given"), "refuse": ("refused", "confirmation.refused")}


def answer_confirmation(
    *,
    actor: User,
    confirmation: Confirmation,
    verdict: str,
    digest: str,
    proven: ProvenUser | None = None,
    named: Principal | None = None,
    reason: str = "",
) -> Confirmation:
    """Record that the end user confirms or refuses a call, and wake what waits for it.

    ``digest`` is what the user was shown. ``proven`` is what a verified token of theirs said; ``named`` whom the
    application says that it speaks for, which counts where it is trusted to.
    Raises NotFound, PolicyDenied, and StateConflict when it is answered, expired, void, or the call has changed.
    """
    if verdict not in VERDICTS:
        raise ValidationFailed("bad_verdict", "a verdict is confirm or refuse")
    check_words(reason)
    state, kind = VERDICTS[verdict]
    with transaction.atomic():
        locked = _lock_visible(actor, confirmation)
        proof = prove_answer(actor, locked, proven, named)
        now = timezone.now()
        _check_open(locked, digest, now)
        locked.proof = proof
        facts = {"digest": digest, "proof": str(proof)}
        record(
            locked.pk, STREAM_KIND, Draft(kind, now, facts, {"reason": reason} if reason else None, actor.pk)
        )
        close_confirmation(locked, state, now)
    return locked


def prove_answer(
    actor: User, confirmation: Confirmation, proven: ProvenUser | None, named: Principal | None
) -> Confirmation.Proof:
    """Return how it is known that the end user has answered; raises PolicyDenied where it is not."""
    application, user = confirmation.application, confirmation.principal
    if actor.kind != User.Kind.APPLICATION or application.service_account_id != actor.pk:
        raise PolicyDenied(
            "not_the_application",
            "only the application through which the user is served says what they confirm",
        )
    if application.state != Application.State.ACTIVE or not actor.is_active:
        raise PolicyDenied("application_revoked", "the application is revoked")
    principal = (user.issuer, user.subject)
    if proven is not None:
        if not proven.proves(actor, principal):
            raise PolicyDenied("not_the_user", "the token is not of the user for whom the run acts")
        return Confirmation.Proof.TOKEN
    if named is None or not application.may_assert_users:
        raise PolicyDenied(
            "principal_not_proven", "send a token of the user's: nobody's word is taken for what they confirm"
        )
    if named != principal:
        raise PolicyDenied("not_the_user", "this is not the user for whom the run acts")
    return Confirmation.Proof.ASSERTED


def _lock_visible(actor: User, confirmation: Confirmation) -> Confirmation:
    if not Confirmation.objects.visible_to(actor).filter(pk=confirmation.pk).exists():
        raise NotFound("unknown_confirmation", "there is no such confirmation")
    rows = Confirmation.objects.select_for_update(of=("self",)).select_related("application", "principal")
    locked: Confirmation = rows.get(pk=confirmation.pk)
    return locked


def _check_open(confirmation: Confirmation, digest: str, now: datetime) -> None:
    if confirmation.state != Confirmation.State.WAITING:
        code = "confirmation_expired" if confirmation.state == "expired" else "confirmation_answered"
        raise StateConflict(code, f"this is {confirmation.state}; nothing was changed")
    if now >= confirmation.expires_at:
        raise StateConflict("confirmation_expired", "the user was too late; the agent is told so")
    if digest != confirmation.digest:
        raise StateConflict(
            "digest_changed", "the call is not the one that the user was shown; show it again"
        )


def read_refusal(confirmation: UUID) -> str:
    """Return the user's words for refusing, where they gave any."""
    with connection.cursor() as cursor:
        entries = read_entries_for_people(cursor, confirmation, after=1, contents=True)
    refused = [entry for entry in entries if entry.kind == "confirmation.refused"]
    return str((refused[-1].content or {}).get("reason", "")) if refused else ""
