"""Which requests of a harmless group have to be opened one by one before the rest is approved together. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

from approvals.batches.sealed import Asked, Pair
from approvals.models import ApprovalRequest, SamplingRule


def draw_group(rules: Iterable[SamplingRule], group: Sequence[Pair]) -> tuple[set[UUID], set[UUID]]:
    """Return the sample of those of a group that a rule calls harmless, and those that no rule does."""
    others = {request.pk for request, _ in group}
    sample: set[UUID] = set()
    for rule in rules:
        harmless = [request.pk for request, asked in group if fits(rule, request, asked)]
        sample |= draw(rule.seed, harmless, count_needed(rule, len(harmless)))
        others -= set(harmless)
    return sample, others


def fits(rule: SamplingRule, request: ApprovalRequest, asked: Asked | None) -> bool:
    """Return whether a request is harmless by a rule: of its effect, below its amount, without any doubt."""
    return (
        rule.team_id == request.team_id
        and rule.effect == request.effect
        and asked is not None
        and not (asked.fault or asked.doubts)
        and (request.amount is None or _is_below(rule, request))
    )


def _is_below(rule: SamplingRule, request: ApprovalRequest) -> bool:
    return (
        rule.max_amount is not None
        and request.amount is not None
        and request.currency.casefold() == rule.currency.casefold()
        and request.amount < rule.max_amount
    )


def count_needed(rule: SamplingRule, size: int) -> int:
    """Return how many of a group of this size have to be opened."""
    share = -(-size * rule.percent // 100)  # rounded up
    return min(size, max(rule.at_least, share))


def draw(seed: str, requests: Iterable[UUID], needed: int) -> set[UUID]:
    """Return the sample: whoever draws again, with the seed on record, draws the same.

    It follows from the ids alone, which no agent and no reviewer chooses.
    """

    def rank(request: UUID) -> bytes:
        return hashlib.sha256(f"{seed}:{request}".encode()).digest()

    return set(sorted(requests, key=rank)[:needed])
