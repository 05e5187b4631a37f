"""What waits, grouped by tool and argument template, what is unusual first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from approvals.batches.outliers import (
    Oddity,
    find_far_amounts,
    find_oddities,
    find_targets,
    join_oddities,
    weigh,
)
from approvals.batches.sealed import Asked, Pair, read_asked, read_pairs
from approvals.batches.templates import (
    Leaves,
    Template,
    find_choices,
    find_leaves,
    find_template,
    name_group,
    shape_of,
)
from approvals.batches.usual import (
    Own,
    Reached,
    Whose,
    find_beyond_own,
    find_new_recipients,
    gather_reached,
    read_own,
)
from approvals.models import ApprovalRequest
from identities.models import User
from tools.models import Tool, ToolVersion

MOST_ITEMS = 5_000  # of a batch, and of what is grouped at a time
MOST_GROUPED = 500  # on a page that only looks: what was asked is read of each, and weighed
MOST_REMEMBERED = 500  # decided requests, for what is seldom


@dataclass(frozen=True, slots=True)
class Member:
    """One request of a group, with what is unusual about it."""

    request: ApprovalRequest
    asked: Asked | None
    leaves: Leaves
    oddities: tuple[Oddity, ...]

    @property
    def differing(self) -> list[tuple[str, str]]:
        return list(self.leaves.items())


@dataclass(frozen=True, slots=True)
class Group:
    """Requests of one tool and template, the unusual ones first."""

    name: str
    tool: Tool
    effect: str
    template: Template
    members: tuple[Member, ...]

    @property
    def odd(self) -> list[Member]:
        return [member for member in self.members if member.oddities]

    @property
    def sums(self) -> list[tuple[Decimal, str]]:
        """Return what all of them move together, by currency."""
        total: dict[str, Decimal] = defaultdict(Decimal)
        for member in self.members:
            if member.request.amount is not None:
                total[member.request.currency] += member.request.amount
        return [(amount, currency) for currency, amount in sorted(total.items())]


def read_decidable(user: User, *, tools: Iterable[UUID] | None = None, most: int = MOST_ITEMS) -> list[Pair]:
    """Return what this person could decide now, oldest first, at most so many, each with what was asked."""
    rows = ApprovalRequest.objects.decidable_by(user)
    if tools is not None:
        rows = rows.filter(tool__in=tools)
    return read_pairs(list(rows.order_by("created_at")[:most]))


def name_groups(pairs: Sequence[Pair]) -> dict[UUID, str]:
    """Return the name of each request's group."""
    versions = ToolVersion.objects.filter(pk__in={request.tool_version_id for request, _ in pairs})
    choices = {pk: find_choices(schema) for pk, schema in versions.values_list("pk", "input_schema")}
    named: dict[UUID, str] = {}
    for request, asked in pairs:
        arguments = {} if asked is None else asked.arguments
        shape = shape_of(arguments, choices[request.tool_version_id])
        named[request.pk] = name_group(request.team_id, request.tool_id, request.effect, shape)
    return named


def arrange(pairs: Sequence[Pair]) -> list[Group]:
    """Return requests in groups, the larger groups first."""
    named = name_groups(pairs)
    by_name: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_name[named[pair[0].pk]].append(pair)
    past = Past(
        _read_decided({request.tool_id for request, _ in pairs}), read_own(request for request, _ in pairs)
    )
    groups = [_build(name, found, past) for name, found in by_name.items()]
    return sorted(groups, key=lambda group: (-len(group.members), group.tool.name, group.name))


@dataclass(frozen=True, slots=True)
class Decided:
    """One decided request: of which agent, with which arguments, and whether it was approved."""

    identity: UUID
    leaves: Leaves
    is_approved: bool


@dataclass(frozen=True, slots=True)
class Past:
    """What was decided before: the latest of each tool, and how much was approved for whom."""

    decided: Mapping[UUID, Sequence[Decided]]
    own: Mapping[Whose, Own]

    def reached_by(self, identity: UUID, tool: UUID, provenance: Mapping[str, Any]) -> Reached:  # Any: JSON
        """Return whom this agent's approved calls of a tool reached."""
        of_agent = (each for each in self.decided.get(tool, ()) if each.identity == identity)
        return gather_reached((each.leaves for each in of_agent if each.is_approved), provenance)


def _read_decided(tools: Iterable[UUID]) -> Mapping[UUID, list[Decided]]:
    """Return the latest requests that people decided, by tool."""
    rows = ApprovalRequest.objects.filter(tool__in=tools, state__in=("approved", "denied"))
    columns = "pk", "tool_id", "identity_id", "state"
    latest = list(rows.order_by("-decided_at").values_list(*columns)[:MOST_REMEMBERED])
    asked = read_asked(request for request, *_ in latest)
    found: dict[UUID, list[Decided]] = defaultdict(list)
    for request, tool, identity, state in latest:
        if request in asked and not asked[request].fault:
            leaves = find_leaves(asked[request].arguments)
            found[tool].append(Decided(identity, leaves, state == "approved"))
    return found


def _build(name: str, pairs: Sequence[Pair], past: Past) -> Group:
    first = pairs[0][0]
    leaves = [find_leaves(None if asked is None else asked.arguments) for _, asked in pairs]
    far = find_far_amounts([request.amount for request, _ in pairs])
    targets = find_targets([each.leaves for each in past.decided.get(first.tool_id, ())])
    template = find_template(leaves)
    amount_leaf = first.tool_version.amount_argument
    new = _find_new(pairs, leaves, past)
    members = [
        Member(
            request, asked, {path: own[path] for path in template.varying if path in own},
            tuple(join_oddities(
                find_oddities(own, told, targets, asked.findings if asked else (), amount_leaf),
                find_beyond_own(request, past.own), new.get(request.pk, ()),
            )),
        )
        for (request, asked), own, told in zip(pairs, leaves, far, strict=True)
    ]  # fmt: skip
    members.sort(key=lambda member: (-weigh(member.oddities), member.request.created_at))
    return Group(name, first.tool, first.effect, template, tuple(members))


def _find_new(pairs: Sequence[Pair], leaves: Sequence[Leaves], past: Past) -> dict[UUID, list[Oddity]]:
    """Return who is reached for the first time by an agent; nobody where that is so of most of the group."""
    provenance = pairs[0][0].tool_version.provenance
    agents = {request.identity_id: request.tool_id for request, _ in pairs}
    reached = {agent: past.reached_by(agent, tool, provenance) for agent, tool in agents.items()}
    told = {
        request.pk: find_new_recipients(own, provenance, reached[request.identity_id])
        for (request, _), own in zip(pairs, leaves, strict=True)
    }
    new = {pk: oddities for pk, oddities in told.items() if oddities}
    return new if len(new) * 2 <= len(pairs) else {}
