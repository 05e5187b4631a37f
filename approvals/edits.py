"""Editing a call before approving it: what it would be, and the decision that makes it so.

An edit closes its request. The edited call is a proposal of its own, with a digest of its own: everything that is asked
of a proposal is asked of it again by whoever made the first one, who knows the rest (`register_subject`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from agentops.canonical import canonical_json
from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.text import is_blank
from approvals.closing import check_open, check_words, close, lock_visible, note_decision, require_decider
from approvals.history import Change, find_changes
from approvals.models import ApprovalRequest, ApprovalRule
from approvals.models.requests import Factor
from approvals.pace import require_rested
from approvals.passing_on import pass_on
from approvals.rules import asked_by, find_rule
from approvals.services import read_evidence, read_rules
from approvals.stages import STREAM_KIND
from identities.models import User
from tools.assessment import Assessment

ARGUMENTS_LIMIT = 65_536

Arguments = dict[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Reassessed:
    """What a call would be, bound to what people would sign; ``words`` is what they would be shown that it changes."""

    assessment: Assessment
    words: Mapping[str, Any] | None = None  # Any: JSON
    lookups: Mapping[str, Any] | None = None  # Any: JSON; what was asked of tools to find out
    is_unseen: bool = False  # what it would change could not be read


Reassess = Callable[[ApprovalRequest, Arguments], Reassessed]
_subjects: dict[str, Reassess] = {}


def register_subject(wake_task: str, reassess: Reassess) -> None:
    """Register who can say what a call that waits would be with other arguments; nothing is changed by asking."""
    _subjects[wake_task] = reassess


@dataclass(frozen=True, slots=True)
class Look:
    """What an edited call would be: ``assessment`` with its digest, and the rule that asks for it, if one does."""

    arguments: Arguments
    before: Arguments
    assessment: Assessment
    rule: ApprovalRule | None
    words: Mapping[str, Any] | None = None  # Any: JSON; what people would be shown that it changes

    @property
    def digest(self) -> str:
        """Return what the edit is bound to."""
        return self.assessment.digest

    @property
    def asks(self) -> bool:
        """Whether people have to say yes to it; the editor's edit is the first yes where they may give it."""
        return self.assessment.verdict == "REQUIRE_APPROVAL"

    @property
    def changes(self) -> list[Change]:
        """Return what is to differ."""
        return list(find_changes(self.before, self.assessment.call.arguments))

    @property
    def needs_key(self) -> bool:
        """Whether it takes a security key."""
        return self.asks and self.rule is not None and self.rule.factor == Factor.KEY


def look_at_edit(*, actor: User, request: ApprovalRequest, arguments: Any, digest: str) -> Look:
    """Return what a call would be with other arguments; nothing is kept, and nobody is told.

    ``arguments`` are all of them, not only what differs. Raises NotFound, PolicyDenied for who may not decide,
    StateConflict where there is nothing to edit, ValidationFailed for what may not go out, saying what to do next.
    """
    with transaction.atomic():
        locked = lock_visible(actor, request.pk)
        require_decider(actor, locked, second_factor=True)
        check_open(locked, digest, timezone.now())
    if locked.edited_by_id is not None:
        raise StateConflict(
            "edited_already", "it was edited once already: approve it, deny it, or ask the agent"
        )
    before = (read_evidence(locked) or {}).get("arguments")
    if not isinstance(before, dict):
        raise StateConflict(
            "words_erased", "the words of this request were erased: deny it, or let it expire"
        )
    wanted = _check_arguments(arguments, before)
    found = _reassess(actor, locked, wanted)
    rule = find_rule(read_rules(locked.team_id), asked_by(found.assessment))
    return Look(wanted, before, found.assessment, rule, found.words)


def _check_arguments(arguments: Any, before: Arguments) -> Arguments:
    if not isinstance(arguments, dict):
        raise ValidationFailed("invalid_arguments", "the arguments are a JSON object: give all of them")
    if len(canonical_json(arguments)) > ARGUMENTS_LIMIT:
        raise ValidationFailed(
            "arguments_too_large", f"arguments have at most {ARGUMENTS_LIMIT} bytes: write less"
        )
    if canonical_json(arguments) == canonical_json(before):
        raise ValidationFailed(
            "nothing_edited", "nothing differs: approve the call as it is, or change something"
        )
    return arguments


def _reassess(actor: User, request: ApprovalRequest, arguments: Arguments) -> Reassessed:
    reassess = _subjects.get(request.wake_task)
    if reassess is None:
        raise StateConflict("not_editable", "this call cannot be edited: approve it or deny it")
    found = reassess(request, arguments)
    if found.lookups:  # tools were asked, with the agent's right: that is on record, with who had them asked
        told = Draft("approval.edit_looked_at", timezone.now(), dict(found.lookups), actor=actor.pk)
        with transaction.atomic():
            record(request.pk, STREAM_KIND, told)
    if found.is_unseen:
        raise ValidationFailed("preview_failed", "what it would change could not be read: look again later")
    assessment = found.assessment
    if assessment.verdict == "DENY":
        code, why = assessment.decision.code, assessment.detail
        raise ValidationFailed(
            code, f"edited like this it may not go out: {why}; change it, or deny the request"
        )
    return found


def edit_call(
    *,
    actor: User,
    request: ApprovalRequest,
    arguments: Any,
    digest: str,
    edited: str,
    reason: str,
    channel: str,
    second_factor: bool,
    signature: Mapping[str, str] | None = None,
) -> ApprovalRequest:
    """Have a call made with other arguments, as they were looked at; that is the person's yes to it as well.

    ``digest`` is of the call that waits, ``edited`` of what it is to be; ``signature`` is over the latter.
    Raises as ``look_at_edit`` does, and StateConflict when it would be something else than what was looked at.
    """
    check_words(reason)
    look = look_at_edit(actor=actor, request=request, arguments=arguments, digest=digest)
    if look.digest != edited:
        raise StateConflict("edit_changed", "what it would be has changed since you looked: look at it again")
    with transaction.atomic():
        locked = lock_visible(actor, request.pk)
        seat = require_decider(actor, locked, second_factor=second_factor, signed=bool(signature))
        require_rested(actor, locked.team_id)
        now = timezone.now()
        check_open(locked, digest, now)
        _check_rule(look, locked, reason, signed=bool(signature))
        facts: dict[str, Any] = {"verdict": "edit", "channel": channel, "digest": digest, "edited": edited}
        facts |= {"signature": dict(signature)} if signature else {}
        content = {
            "reason": reason,
            "arguments": look.arguments,
            "before": look.before,
            "by": actor.get_username(),
        }
        note_decision(locked, actor, now, facts, content, seat)
        close(locked, "edited", now)
        pass_on(actor, now)
    return locked


def _check_rule(look: Look, locked: ApprovalRequest, reason: str, *, signed: bool) -> None:
    if look.needs_key and not signed:
        raise PolicyDenied(
            "key_required", "edited like this it takes your security key: do it in the console with it"
        )
    by_rule = look.asks and look.rule is not None and look.rule.reason_required
    if (locked.reason_required or by_rule) and is_blank(reason):
        raise ValidationFailed("reason_missing", "say why: the rule for this call asks for it")
