"""Budgets that runs share: what people set for a team, or for one of its agents."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from agentops.amounts import plain_decimal
from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import Changes, insert_row, update_row
from identities.changes import clear_change
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, Team, User
from identities.policies import require
from runs.changes import BUDGET, describe_budget
from runs.models import Budget


@transaction.atomic
def set_budget(
    *,
    actor: User,
    team: Team,
    identity: AgentIdentity | None,
    window: str,
    max_steps: int | None = None,
    max_tokens: int | None = None,
    max_usd: Decimal | None = None,
) -> tuple[Budget, Changes]:
    """Set the ceiling of a team (no identity) or of one of its agents, per hour, day or month (UTC).

    Return it with what changed. A ceiling below what is committed stops further draws and takes nothing back.
    Raises ValidationFailed for no limit at all, SecondPersonNeeded for a higher ceiling.
    """
    require(actor, BUDGET, team)
    require_fresh_factor(actor)
    if identity is not None and identity.team_id != team.pk:
        raise ValidationFailed("another_team", "the agent belongs to another team")
    limits = {"max_steps": max_steps, "max_tokens": max_tokens, "max_usd": max_usd}
    if not any(limits.values()):
        raise ValidationFailed("no_limit", "a budget limits steps, tokens or USD")
    Team.objects.select_for_update().get(pk=team.pk)  # two people setting the same budget come one by one
    budget = Budget.objects.filter(team=team, identity=identity, window=window).first()
    if budget is not None and all(getattr(budget, name) == limit for name, limit in limits.items()):
        return budget, {}
    cleared = clear_change(actor, describe_budget(team, identity, window, budget, limits))
    if budget is None:
        budget = Budget(team=team, identity=identity, window=window, **limits)
        insert_row(budget)
        changes: Changes = {name: (None, limit) for name, limit in limits.items() if limit is not None}
    else:
        changes = update_row(budget, limits)
    _record(budget, actor, cleared)
    return budget, changes


def _record(budget: Budget, actor: User, cleared: dict[str, str]) -> None:
    """Record on the stream of whoever the budget binds."""
    facts = {
        **cleared,
        "budget": str(budget.id),
        "window": budget.window,
        "max_steps": budget.max_steps,
        "max_tokens": budget.max_tokens,
        "max_usd": None if budget.max_usd is None else plain_decimal(budget.max_usd),
    }
    draft = Draft("budget.set", timezone.now(), facts, actor=actor.id)
    if budget.identity_id is None:
        record(budget.team_id, "team", draft)
    else:
        record(budget.identity_id, "identity", draft)
