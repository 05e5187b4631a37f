"""An approved call as one canonical text, and the real path from such a text to an effect that is counted.

Whatever is said in the text is believed: the call and how things stood, the digest and the permit that are carried
along. What comes of it is decided by the assessment, the gate, its statement that spends the approval, and the permit.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from agentops.canonical import canonical_json
from agentops.engine.breaker import Admission
from agentops.errors import AgentOpsError
from approvals import gate
from approvals.models import ApprovalRequest
from tests.runs.deeds import WORLD
from tests.tools.execution import NOBODY, make_call, make_spec
from tools import execution
from tools.assessment import Assessment, assess
from tools.authority import GrantTerms, Parent, Standing
from tools.calls import Call
from tools.caps import Cap
from tools.permits import Permit
from tools.standing import Answer

Json = Any
LATER = datetime(2030, 1, 1, tzinfo=UTC)
ARGUMENTS = {"order_id": "A-1042", "amount": "129.90"}
PRINTABLE = bytes(range(32, 127))
KINDS = (b"0123456789", b"abcdef", b"ghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
STATE = {"pin": "7d" * 32, "shown": "c4" * 32}
SCHEMA = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "amount": {"type": "string"}},
    "required": ["order_id"],
    "additionalProperties": False,
}
SPEC = make_spec(
    name="refund", effect="irreversible", idempotency="honours_key", adapter="python", input_schema=SCHEMA,
    config={"function": "tests.runs.deeds:refund"}, amount_argument="amount", currency="USD",
)  # fmt: skip
TERMS = GrantTerms(
    UUID(int=11), 3, "REQUIRE_APPROVAL", (Cap("day", 9, None),), "DENY", 600, LATER, None, None, 0
)
PARENT = Parent(
    UUID(int=12), UUID(int=13), "supervisor", "active", None, True, True, replace(TERMS, id=UUID(int=14))
)


class NoCall(Exception):
    """The text is not one of a call any more."""


@dataclass
class Tried:
    """What became of texts: how many executed, and of the others who refused them, by the part that was changed."""

    executed: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def parts(self) -> Counter[str]:
        """Return how many texts were tried, by the part that was changed."""
        found: Counter[str] = Counter()
        for (part, _), number in self.refused.items():
            found[part] += number
        return found

    def tell(self) -> str:
        """Return the figures, a line for each part."""
        lines = [
            f"{sum(self.refused.values()) + self.executed:,} calls one byte away: {self.executed} executed"
        ]
        for part in sorted(self.parts):
            by = ", ".join(f"{n} by {who}" for (p, who), n in sorted(self.refused.items()) if p == part)
            lines.append(f"  {part:<13}{self.parts[part]:>6} refused: {by}")
        return "\n".join(lines)


def base_call() -> Call:
    return make_call(SPEC, dict(ARGUMENTS), key="run-1:3:refund:0", acts_for=(PARENT.identity_id,))


def assess_as(call: Call, terms: GrantTerms, parent: Parent) -> Assessment:
    standing = Standing("active", None, True, None, "active", terms, True, parents=(parent,))
    return assess(call, by=NOBODY, now=timezone.now(), known=Answer(standing, forced_open=False))


def approved_assessment() -> Assessment:
    """Return the assessment of the call that people approve, bound to the state that they were shown."""
    return assess_as(base_call(), TERMS, PARENT).bound_to(STATE)


def write_text(assessment: Assessment, request: ApprovalRequest, permit: Permit) -> bytes:
    """Return all that there is to an approved call, in one way only."""
    call = assessment.call
    return canonical_json(
        {
            "approval": str(request.pk),
            "arguments": call.arguments,
            "attempt": call.attempt,
            "digest": assessment.digest,
            "identity": str(call.identity_id),
            "key": call.key,
            "parent": {
                "run": str(PARENT.run_id),
                "identity": str(PARENT.identity_id),
                "terms": _terms(PARENT.grant),
            },
            "permit": {"key": permit.key, "attempt": permit.attempt, "seal": permit.seal},
            "principal": [call.principal_issuer, call.principal_subject],
            "run": str(call.run_id),
            "state": STATE,
            "terms": _terms(TERMS),
            "tool_version": call.spec.digest,
        }
    )


def _terms(terms: GrantTerms | None) -> Json:
    assert terms is not None
    return {
        "grant": str(terms.id), "version": terms.version, "decision": terms.decision,
        "caps": [[cap.per, cap.count] for cap in terms.caps], "over_caps": terms.over_caps,
        "ttl": terms.approval_ttl_s, "until": str(terms.valid_until),
    }  # fmt: skip


def read_text(text: bytes) -> tuple[Json, Assessment]:
    """Return what a text says, and its call as it is assessed; raises NoCall."""
    try:
        said = json.loads(text.decode())
        call = replace(
            base_call(),
            spec=replace(SPEC, digest=said["tool_version"]),
            arguments=said["arguments"],
            key=said["key"],
            attempt=said["attempt"],
            run_id=UUID(said["run"]),
            identity_id=UUID(said["identity"]),
            principal_issuer=said["principal"][0],
            principal_subject=said["principal"][1],
        )
        above = said["parent"]
        parent = replace(
            PARENT,
            run_id=UUID(above["run"]),
            identity_id=UUID(above["identity"]),
            grant=_read_terms(above["terms"]),
        )
        terms, state = _read_terms(said["terms"]), {name: said["state"][name] for name in STATE}
        permit, said["digest"] = said["permit"], str(said["digest"])
        said["permit"] = Permit(permit["key"], permit["attempt"], UUID(said["approval"]), permit["seal"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoCall from error
    return said, assess_as(call, terms, parent).bound_to(state)


def _read_terms(said: Json) -> GrantTerms:
    caps = tuple(Cap(per, count, None) for per, count in said["caps"])
    return GrantTerms(
        UUID(said["grant"]), said["version"], said["decision"], caps, said["over_caps"], said["ttl"],
        datetime.fromisoformat(said["until"]), None, None, 0,
    )  # fmt: skip


def try_text(text: bytes) -> str:
    """Take a text to the tool as far as it gets; return who stopped it, or ``executed``. Raises NoCall."""
    return _try(*read_text(text))


def _try(said: Json, assessment: Assessment) -> str:
    try:
        gate.require(assessment, approval_id=said["permit"].approval_id, now=timezone.now())
    except AgentOpsError as refused:
        return "the gate" if refused.code != assessment.decision.code else "the policy"
    with transaction.atomic(), connection.cursor() as cursor:
        spent = gate.consume(
            cursor,
            approval_id=said["permit"].approval_id,
            digest=said["digest"],
            key=said["key"],
            now=timezone.now(),
        )
        transaction.set_rollback(True)  # the next text finds it unspent
    if not spent:
        return "what spends the approval"
    return execute_counted(assessment, said["permit"])


def _try_both_ways(text: bytes, genuine: Permit, approved: Assessment) -> set[str]:
    """Take a text through the gate, and its call past the gate with the permit of the one that was approved."""
    said, assessment = read_text(text)
    is_same = (assessment.digest, assessment.call) == (approved.digest, approved.call)
    if is_same and (said["permit"], said["digest"]) == (genuine, approved.digest):
        raise NoCall  # a date or an identifier in another spelling
    ends = {_try(said, assessment)}
    return ends if is_same else ends | {execute_counted(assessment, genuine)}


def execute_counted(assessment: Assessment, permit: Permit) -> str:
    """Make an attempt with a permit; return who stopped it, or ``executed``."""
    before = len(WORLD.attempts)
    try:
        execution.execute(assessment, permit, Admission(True, "closed"))
    except AgentOpsError:
        assert len(WORLD.attempts) == before
        return "the permit"
    return "executed" if len(WORLD.attempts) > before else "the tool"


def mutate(text: bytes, place: int, chance: random.Random) -> bytes:
    """Change one byte to another that can be printed; every other time to one of its kind, so that most stay calls."""
    kind = (
        next((each for each in KINDS if text[place] in each), PRINTABLE)
        if chance.random() < 0.5
        else PRINTABLE
    )
    other = chance.choice([byte for byte in kind if byte != text[place]])
    return text[:place] + bytes([other]) + text[place + 1 :]


def part_at(text: bytes, place: int) -> str:
    """Return the member of the text in which a byte stands."""
    said: dict[str, Json] = json.loads(text)
    at = 1
    for name in sorted(said):
        at += len(canonical_json({name: said[name]})) - 1
        if place < at:
            return name
    return "the end"


def try_mutations(text: bytes, genuine: Permit, approved: Assessment, count: int, seed: int) -> Tried:
    """Try so many texts that are one byte away, every place in turn, and are still calls."""
    chance, tried, place = random.Random(seed), Tried(), -1
    stride = next(
        step for step in (37, 41, 43) if len(text) % step
    )  # every place in turn, and soon of every part
    while sum(tried.refused.values()) + tried.executed < count:
        place = (place + stride) % len(text)
        changed = mutate(text, place, chance)
        try:
            ends = _try_both_ways(changed, genuine, approved)
        except NoCall:
            continue
        if "executed" in ends:
            tried.executed += 1
        else:
            tried.refused[(part_at(text, place), " and ".join(sorted(ends)))] += 1
    return tried


def request_of(assessment: Assessment, **fields: Any) -> dict[str, Any]:
    """Return the fields of a request for exactly this call, approved just now."""
    now = timezone.now()
    return {
        "digest": assessment.digest, "key": assessment.call.key, "created_at": now,
        "expires_at": now + timedelta(hours=1), **fields,
    }  # fmt: skip
