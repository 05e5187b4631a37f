"""Putting batches together and deciding them, as a person with everything in order would."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from django.db import transaction
from django.utils import timezone
from psycopg import sql

from agentops.ledger.entries import Draft, Head, seal
from approvals import services
from approvals.batches.deciding import decide_batch
from approvals.batches.items import digest_batch, read_ready
from approvals.batches.preparing import open_batch
from approvals.models import ApprovalBatch, ApprovalRequest, BatchItem, OpenedRequest, SamplingRule
from identities.models import Team, User
from tests.cast import Cast
from tests.ledger import entries_of


def void(request: ApprovalRequest) -> None:
    """Withdraw a request."""
    with transaction.atomic():
        services.void_request(request.pk, code="asked_anew", now=timezone.now())


def reseal(request: ApprovalRequest, *, content: Any = None, **facts: Any) -> None:
    """Have it asked with other facts or words, under a seal that fits: a run would have written it like this."""
    entry = entries_of(request.pk)[0]
    draft = Draft(entry.kind, entry.at, {**entry.facts, **facts}, content or entry.content, entry.actor)
    (sealed,), _ = seal(request.pk, Head(), [draft], lambda: b"s" * 16)
    names = ("facts", "content", "salt", "content_digest", "hash")
    bend("ledger_entry", request, **{name: getattr(sealed, name) for name in names})
    bend("ledger_stream", request, head_hash=sealed.hash)


def open_each(person: User, requests: Iterable[ApprovalRequest]) -> None:
    """Look at each by itself, in one statement: most tests are about something else."""
    rows = (
        OpenedRequest(person=person, request=each, digest=each.digest, opened_at=each.created_at)
        for each in requests
    )
    OpenedRequest.objects.bulk_create(rows, ignore_conflicts=True)


def put_together(
    person: User, requests: Sequence[ApprovalRequest], verdict: str = "approve", *, opened: bool = True
) -> ApprovalBatch:
    """Put requests together, each with the digest that it has now."""
    if opened:
        open_each(person, requests)
    return open_batch(actor=person, verdict=verdict, chosen={each.pk: each.digest for each in requests})


def decide(person: User, batch: ApprovalBatch, **changes: Any) -> ApprovalBatch:
    """Confirm the list as it stands, and decide."""
    values: dict[str, Any] = {
        "digest": digest_batch(batch, read_ready(batch)),
        "reason": "looked at it",
        "channel": "api",
        "second_factor": True,
        **changes,
    }
    return decide_batch(actor=person, batch=batch, **values)


def codes_of(batch: ApprovalBatch) -> dict[str, str]:
    """Return why requests are excluded, by their ids."""
    rows = batch.items.filter(state=BatchItem.State.EXCLUDED)
    return {str(pk): code for pk, code in rows.values_list("request_id", "code")}


def states_of(batch: ApprovalBatch) -> dict[str, int]:
    """Return how many items are in which state."""
    return dict(Counter(batch.items.values_list("state", flat=True)))


def let_sample(cast: Cast, **values: Any) -> SamplingRule:
    """Write a sampling rule of the team."""
    fields: dict[str, Any] = {"effect": "reversible", "at_least": 2, "percent": 0, "seed": "5" * 32, **values}
    team: Team = cast.team
    made: SamplingRule = SamplingRule.objects.create(team=team, created_by=cast.alice, **fields)
    return made


def bend(table: str, request: ApprovalRequest, **columns: Any) -> None:
    """Write past everything, as whoever owns the database could; a text of SQL may stand for a value."""
    sets = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(
            sql.Identifier(name), value if isinstance(value, sql.Composable) else sql.Literal(value)
        )
        for name, value in columns.items()
    )
    key = sql.Identifier("stream" if table == "ledger_entry" else "id")
    statement = sql.SQL("UPDATE {} SET {} WHERE {} = {}").format(
        sql.Identifier(table), sets, key, sql.Literal(request.pk)
    )
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        for word in ("DISABLE", "ENABLE"):
            switch = sql.SQL("ALTER TABLE {} {} TRIGGER USER").format(sql.Identifier(table), sql.SQL(word))
            owner.execute(switch)
            if word == "DISABLE":
                owner.execute(statement)
                owner.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or triggers could not be switched
