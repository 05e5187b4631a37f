"""What requests like one got, and what is unusual about it among them: read once for both, in few statements.

Alike are those of the same agent and tool with arguments of the same template; after them, what the tool was asked for
on behalf of the same principal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from agentops.ledger.decoding import decode_members
from approvals.batches.outliers import Oddity, find_far_amounts, find_oddities, find_targets, join_oddities
from approvals.batches.sealed import Asked, Pair, read_pairs
from approvals.batches.templates import find_choices, find_leaves, shape_of
from approvals.batches.usual import find_beyond_own, find_new_recipients, gather_reached, read_own
from approvals.models import ApprovalDecision, ApprovalRequest

MOST_COMPARED = 100  # decided requests of the tool, of the same agent or principal; the latest
MOST_SHOWN = 5
ENDED = ("approved", "denied", "expired", "edited", "asked")
RELATED = ("tool", "tool_version", "identity", "principal")
_SAID = """
SELECT stream, actor, content FROM ledger_entry WHERE stream = ANY(%s) AND kind = 'approval.decided' ORDER BY seq
"""

Outcomes = Callable[[Sequence[ApprovalRequest]], Mapping[UUID, str]]
_outcomes: list[Outcomes] = []


def register_outcomes(read: Outcomes) -> None:
    """Register who knows in words what became of approved calls, by request; for many in one statement."""
    if read not in _outcomes:
        _outcomes.append(read)


@dataclass(frozen=True, slots=True)
class Similar:
    """A request like another one: who decided how, in which words, and what became of the call."""

    request: ApprovalRequest
    decision: ApprovalDecision | None
    reason: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Likeness:
    """``like``: of the same agent, tool and template; ``for_principal``: others of the same principal."""

    like: Sequence[Similar]
    for_principal: Sequence[Similar]
    oddities: Sequence[Oddity]
    counted: Mapping[str, int]

    @property
    def compared(self) -> int:
        """Return with how many it was compared."""
        return sum(self.counted.values())

    @property
    def leaves(self) -> dict[str, str]:
        """Return what is unusual about single arguments, by their path."""
        return {oddity.leaf: oddity.words for oddity in self.oddities if oddity.leaf}


def read_likeness(request: ApprovalRequest, evidence: dict[str, Any] | None) -> Likeness:
    """Return what requests like this one got, and what is unusual about it.

    ``evidence`` is what people are shown of it. Only those of the same tool are looked at: whoever may see the one may
    see the others.
    """
    ended = ApprovalRequest.objects.filter(tool=request.tool_id, state__in=ENDED, decided_at__isnull=False)
    near = ended.filter(Q(identity=request.identity_id) | Q(principal=request.principal_id)).exclude(
        pk=request.pk
    )
    rows = near.order_by("-created_at").select_related(*RELATED)[:MOST_COMPARED]
    own, pairs = (request, Asked({}, evidence)), read_pairs(list(rows))
    of_agent = [pair for pair in pairs if pair[0].identity_id == request.identity_id]
    like = find_like(own, of_agent)[:MOST_SHOWN]
    known = {each.pk for each, _ in like}
    others = [each for each, _ in pairs if each.principal_id == request.principal_id and each.pk not in known]
    told = {each.request.pk: each for each in _tell([*(each for each, _ in like), *others[:MOST_SHOWN]])}
    return Likeness(
        [told[each.pk] for each, _ in like], [told[each.pk] for each in others[:MOST_SHOWN]],
        join_oddities(find_unusual(own, of_agent), find_beyond_own(request, read_own([request]))),
        Counter(each.state for each, _ in of_agent),
    )  # fmt: skip


def find_like(own: Pair, pairs: Sequence[Pair]) -> list[Pair]:
    """Return those whose arguments have the template of this one, in their order."""
    template = _shape(own)
    return [pair for pair in pairs if _shape(pair) == template]


def _shape(pair: Pair) -> object:
    request, asked = pair
    return shape_of(
        None if asked is None else asked.arguments, find_choices(request.tool_version.input_schema)
    )


def find_unusual(own: Pair, pairs: Sequence[Pair]) -> list[Oddity]:
    """Return what is unusual about a request among these, the worst first. Pure."""
    request, asked = own
    amounts = [each.amount for each, _ in pairs if each.currency == request.currency]
    far = find_far_amounts([request.amount, *amounts])[0]
    decided = [find_leaves(each.arguments) for _, each in pairs if each is not None and not each.fault]
    leaves = find_leaves(None if asked is None else asked.arguments)
    version = request.tool_version
    usual = find_oddities(
        leaves, far, find_targets(decided), asked.findings if asked else (), version.amount_argument
    )
    approved = [
        find_leaves(each.arguments)
        for past, each in pairs
        if past.state == "approved" and each is not None and not each.fault
    ]
    reached = gather_reached(approved, version.provenance)
    return join_oddities(usual, find_new_recipients(leaves, version.provenance, reached))


def _tell(requests: Sequence[ApprovalRequest]) -> Iterable[Similar]:
    if not requests:
        return
    ids = [request.pk for request in requests]
    rows = (
        ApprovalDecision.objects.filter(request__in=ids).select_related("decided_by").order_by("decided_at")
    )
    last = {row.request_id: row for row in rows}
    words = _read_words(ids)
    outcomes: dict[UUID, str] = {}
    for read in _outcomes:
        outcomes |= read(requests)
    for request in requests:
        decision = last.get(request.pk)
        said = words.get((request.pk, decision.decided_by_id), "") if decision else ""
        yield Similar(request, decision, said, outcomes.get(request.pk, ""))


def _read_words(ids: Sequence[UUID]) -> dict[tuple[UUID, UUID], str]:
    """Return the words of each who has decided, by request and person; those that were erased are absent."""
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [list(ids)])
        rows = cursor.fetchall()
    contents = {(stream, actor): decode_members(text, 2) for stream, actor, text in rows}
    return {key: str(said.get("reason") or said.get("question") or "") for key, said in contents.items()}
