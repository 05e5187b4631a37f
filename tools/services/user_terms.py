"""What agents may do on behalf of end users: a source of authority of its own, which every grant is cut by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.changes import clear_change
from identities.factors import require_fresh_factor
from identities.models import Principal, User
from identities.policies import require
from tools.models import Tool, UserTerms
from tools.services.catalogue import lock_tool
from tools.services.changes import describe_user_terms
from tools.services.grants import PERMISSION, version_to_grant
from tools.services.terms import Terms, find_bound_faults

PERIODS = ("call", "hour", "day", "month")  # a run is for one end user anyway: its limits are its own


@transaction.atomic
def set_user_terms(*, actor: User, tool: Tool, principal: Principal | None, terms: Terms) -> UserTerms:
    """Say what may be done with a tool for an end user, or for each of them; the same again changes nothing.

    Raises ValidationFailed for terms that cannot be kept, or an end user of another team; SecondPersonNeeded for
    what allows more than the terms that stand.
    """
    locked = lock_tool(tool)
    require(actor, PERMISSION, locked.team)
    require_fresh_factor(actor)
    if principal is not None and principal.team_id != locked.team_id:
        raise ValidationFailed("another_team", "this end user is not one of the tool's team")
    faults = list(find_bound_faults(terms, version_to_grant(locked), PERIODS))
    if faults:
        raise ValidationFailed("invalid_terms", "; ".join(faults), problems=faults)
    present = UserTerms.objects.standing().filter(tool=locked, principal=principal).first()
    values = terms.bound_values()
    if present is not None and all(getattr(present, name) == value for name, value in values.items()):
        return present
    cleared = clear_change(actor, describe_user_terms(locked, principal, present, values))
    if present is not None:
        _end(present)
    terms_row = UserTerms.objects.create(tool=locked, principal=principal, created_by=actor, **values)
    _record(terms_row, "user_terms.set", actor, {**values, **cleared})
    return terms_row


@transaction.atomic
def end_user_terms(*, actor: User, terms: UserTerms) -> UserTerms:
    """End them: grants alone decide from now on.

    Raises StateConflict when they have ended before, SecondPersonNeeded while nobody else agreed.
    """
    tool = lock_tool(terms.tool)
    require(actor, PERMISSION, tool.team)
    require_fresh_factor(actor)
    present = UserTerms.objects.select_for_update().get(pk=terms.pk)
    if present.ended_at is not None:
        raise StateConflict("terms_ended", "these terms have ended before")
    cleared = clear_change(actor, describe_user_terms(tool, present.principal, present, None))
    _end(present)
    _record(present, "user_terms.ended", actor, cleared)
    return present


def _end(terms: UserTerms) -> None:
    terms.ended_at = timezone.now()
    terms.save(update_fields=["ended_at"])


def _record(terms: UserTerms, kind: str, actor: User, values: Mapping[str, Any]) -> None:
    principal = str(terms.principal_id) if terms.principal_id else None
    facts = {"terms": str(terms.pk), "principal": principal, **values}
    record(terms.tool_id, "tool", Draft(kind, timezone.now(), facts, actor=actor.id))
