"""What was asked, read back of many requests at once, each compared with its seal and with the request's row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.ledger.decoding import AT_OR_NULL, decode_facts, decode_members
from agentops.ledger.entries import GENESIS, chain_hash, digest_content, dump_facts
from approvals.models import ApprovalRequest
from tools.findings import DOUBTS

# The first entry of a request's stream is what was asked, and nothing comes before it.
_FIRST = f"""
SELECT stream, kind, facts::text, content, salt, content_digest, prev_hash, hash, {AT_OR_NULL}, actor
FROM ledger_entry WHERE stream = ANY(%s) AND seq = 1
"""  # noqa: S608  constants


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: ``facts`` and, unless erased, ``evidence``; ``fault`` is what does not fit its seal."""

    facts: dict[str, Any]  # Any: JSON
    evidence: dict[str, Any] | None
    fault: str = ""

    @property
    def arguments(self) -> Any:  # Any: JSON
        return (self.evidence or {}).get("arguments")

    @property
    def findings(self) -> list[dict[str, str]]:
        """Return the reasons why a person is asked, with their words where these are not erased."""
        told = (self.evidence or {}).get("reasons")
        if isinstance(told, list) and all(isinstance(reason, dict) for reason in told):
            return told
        return [{"code": code} for code in self.codes]

    @property
    def codes(self) -> list[str]:
        codes = self.facts.get("reasons")
        return [code for code in codes if isinstance(code, str)] if isinstance(codes, list) else []

    @property
    def doubts(self) -> list[str]:
        """Return the codes by which it is doubtful where a value comes from; erasing words takes none away."""
        return [code for code in self.codes if code in DOUBTS]


Pair = tuple[ApprovalRequest, Asked | None]


def read_asked(requests: Iterable[UUID]) -> dict[UUID, Asked]:
    """Return what was asked, by request, in one statement; a request without a record of it is absent."""
    ids = list(requests)
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, [ids])
        return {row[0]: _read(*row) for row in cursor.fetchall()}


def _read(
    stream: UUID, kind: str, text: str, content: str | None, salt: Any, digest: Any, before: Any, sealed: Any,
    at: datetime | None, actor: UUID | None,
) -> Asked:  # fmt: skip
    facts = decode_facts(text)
    if facts is None or at is None:
        return Asked({}, None, "its record cannot be read")
    evidence = None if content is None else decode_members(content, 1)
    kept = None if digest is None else bytes(digest)
    hashed = chain_hash(
        stream=stream, seq=1, kind=kind, at=at, actor=actor, facts=dump_facts(facts), content_digest=kept,
        prev_hash=GENESIS,
    )  # fmt: skip
    fault = ""
    if kind != "approval.requested" or bytes(before) != GENESIS or bytes(sealed) != hashed:
        fault = "its record does not fit its seal"
    elif content is not None and (salt is None or digest_content(bytes(salt), content) != kept):
        fault = "its words do not fit their seal"
    return Asked(facts, evidence, fault)


def find_bent(request: ApprovalRequest, asked: Asked | None) -> str:
    """Return in what way a request's row is not what was recorded when it was asked, empty where it is."""
    if asked is None:
        return "there is no record of what was asked"
    if asked.fault:
        return asked.fault
    differing = [name for name, value in _columns_of(request).items() if asked.facts.get(name) != value]
    if not _is_amount(asked.facts.get("amount"), request.amount):
        differing.append("amount")
    return f"its {', '.join(differing)} is not what was recorded when it was asked" if differing else ""


def _columns_of(request: ApprovalRequest) -> dict[str, object]:
    return {
        "tool": str(request.tool_id),
        "tool_version": str(request.tool_version_id),
        "digest": request.digest,
        "effect": request.effect,
        "currency": request.currency,
        "key": request.key,
        "expires_at": request.expires_at.isoformat(),
    }


def _is_amount(told: Any, amount: Decimal | None) -> bool:  # Any: JSON
    try:
        return (None if told is None else Decimal(str(told))) == amount
    except InvalidOperation:
        return False


def read_pairs(requests: Sequence[ApprovalRequest]) -> list[Pair]:
    """Return requests, each with what was asked."""
    asked = read_asked(request.pk for request in requests)
    return [(request, asked.get(request.pk)) for request in requests]
