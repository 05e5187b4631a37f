"""Assessing a call: allow-list, schema, idempotency, policy. Nothing is changed; the answer explains itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from agentops.canonical import keyed_digest
from agentops.database import borrowed, is_unreachable
from agentops.errors import ValidationFailed
from agentops.identifiers import text_of
from tools.amounts import read_amount
from tools.authority import NO_CALL, Ask, Bound, Decision, GrantTerms, Limits, Reason, Standing, TableAnswer
from tools.calls import Call, ToolSpec
from tools.caps import Cap, CapClaim
from tools.credentials.acting import Acting, find_acting, find_unserved
from tools.credentials.standing import find_unended
from tools.findings import heed_findings
from tools.pinned import find_outdated
from tools.policy import decide, find_veto_window, needs_confirmation
from tools.provenance.judging import Meant, judge
from tools.schemas import Problem, validate_arguments
from tools.standing import Answer, Authority, Question, SeenEffect, read_standing
from tools.tables.policies import ask_tables

logger = logging.getLogger(__name__)

_EVER = datetime(2000, 1, 1, tzinfo=UTC)
NOTHING_HELD: Mapping[str, Decimal] = MappingProxyType({})
NOT_ASKED: Mapping[UUID, TableAnswer] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Assessment:
    """What may become of a call. ``digest`` binds what a person would sign; ``args_digest`` the arguments alone."""

    call: Call
    decision: Decision
    digest: str
    args_digest: str
    dedupe_digest: str
    amount: Decimal | None
    grant_id: UUID | None
    approval_ttl_s: int
    forced_open: bool
    detail: str = ""
    replay: SeenEffect | None = None
    answer: Answer | None = None  # what the decision rests on
    acting: Acting | None = None  # as whom its token is minted, where its tool asks for one
    veto_s: int = 0  # for so long it is held before it goes out
    confirms: bool = False  # the end user has to confirm it, whoever else is asked

    @property
    def verdict(self) -> str:
        return self.decision.verdict

    @property
    def claims(self) -> tuple[CapClaim, ...]:
        """Return what has to be reserved of caps before the effect."""
        return self.decision.claims

    def bound_to(self, state: Mapping[str, str]) -> Assessment:
        """Return it with its digest taken of the call and of what was read of its target: what people then sign."""
        return replace(self, digest=keyed_digest({"call": self.digest, "state": dict(state)}))


FindMeant = Callable[[], Meant | None]


def nothing_known() -> None:
    """Nothing is known of a run, where it is asked what would be."""


def assess(
    call: Call,
    *,
    by: Authority,
    now: datetime,
    held: Mapping[str, Decimal] = NOTHING_HELD,
    known: Answer | None = None,
    meant: FindMeant = nothing_known,
    said: dict[str, Any] | None = None,  # Any: JSON
) -> Assessment:
    """Decide about one call, from the database as it stands now. An error while deciding is a denial.

    Only an unreachable database is raised on: then nobody can say, and the run rests.

    ``held`` is what an earlier attempt of this call took of caps, by window. ``known`` is how things stood when this
    run last looked, for whoever has it compared before the attempt goes out. ``meant`` finds what the user asked for
    and what the run has read, where either bears on the call. ``said`` are the arguments as they were proposed, where
    something in them was looked up: by them a proposal is known again.
    """
    try:
        problems = validate_arguments(call.spec, call.arguments)
        if problems:
            return refuse(call, "invalid_arguments", _describe(problems), "run")
        answer = known or _read(call, by, now)
        return _assess_valid(call, answer, by, now, held, meant, said)
    except ValidationFailed as error:
        return refuse(call, error.code, error.detail, "tool")
    except Exception as error:  # a boundary: whatever keeps the rules from being applied, nothing is allowed
        if is_unreachable(error):
            raise
        logger.exception("the policy for %s could not be applied", call.spec.name)
        return refuse(call, "policy_error", "the rules for this tool cannot be applied", "tool")


def _read(call: Call, by: Authority, now: datetime) -> Answer:
    spec = call.spec
    question = Question(
        call.identity_id, spec.tool_id, by, call.run_id, now,
        key="" if spec.effect == "read" else call.key,
        dedupe_digest=_digest_alike(call),
        dedupe_since=alike_since(call, now),
    )  # fmt: skip
    with borrowed() as connection:
        return read_standing(connection, question)


def _assess_valid(
    call: Call,
    answer: Answer,
    by: Authority,
    now: datetime,
    held: Mapping[str, Decimal],
    meant: FindMeant,
    said: dict[str, Any] | None,  # Any: JSON
) -> Assessment:
    spec = call.spec
    amount = read_amount(call.arguments, spec.amount_argument) if spec.amount_argument else None
    args_digest = digest_arguments(spec, call.arguments if said is None else said)
    standing = answer.standing
    by_table = ask_tables(call, amount, standing, now)
    ask = Ask(
        call.run_id, spec.name, spec.digest, spec.effect, amount, now, held, by.limits, by.principal_id, by_table
    )  # fmt: skip
    decision = decide(ask, standing)
    if (known := meant()) is not None:
        found = judge(spec.name, spec.effect, spec.declared, call.arguments, known)
        decision = heed_findings(decision, found)
    replay, refusal = _heed_seen(call, args_digest, answer.seen)
    acting = find_acting(call)
    refusal = refusal or find_unserved(call, acting) or find_unended(call) or find_outdated(call)
    if refusal and decision.verdict != "DENY":
        decision = Decision("DENY", refusal.code, (*decision.reasons, refusal))
    return Assessment(
        call,
        decision,
        digest=_digest_call(call, standing, by, by_table),
        args_digest=args_digest,
        dedupe_digest=_digest_alike(call),
        amount=amount,
        grant_id=standing.grant.id if standing.grant else None,
        approval_ttl_s=standing.grant.approval_ttl_s if standing.grant else 0,
        forced_open=answer.forced_open,
        detail=decision.reasons[-1].detail,
        replay=replay,
        answer=answer,
        acting=acting,
        veto_s=find_veto_window(spec.effect, standing),
        confirms=needs_confirmation(standing),
    )


def _heed_seen(
    call: Call, args_digest: str, seen: Sequence[SeenEffect]
) -> tuple[SeenEffect | None, Reason | None]:
    """A known key with the same arguments has its outcome already; with others it is an error."""
    for effect in seen:
        if effect.key != call.key:
            detail = f"the same effect was already proposed as {effect.key} and is {effect.state}"
            return None, Reason("tool", "duplicate_effect", detail)
        if effect.args_digest != args_digest:
            return None, Reason("tool", "key_reused", f"the key {call.key} was used with other arguments")
        if effect.state == "succeeded":
            return effect, None
    return None, None


def _digest_call(
    call: Call, standing: Standing, by: Authority, by_table: Mapping[UUID, TableAnswer] = NOT_ASKED
) -> str:
    """Bind tool version, exact arguments, identity, principal, the key and the terms in force, of all sources.

    What decision tables said is bound with the version that said it: other rules need another signature.
    """
    tables = sorted(
        [text_of(grant), told.decision, _text(told.ceiling), *told.named] for grant, told in by_table.items()
    )
    return keyed_digest(
        {
            **_list_bounds(call, standing, by),
            **({"tables": tables} if tables else {}),
            "tool_version": call.spec.digest,
            "arguments": call.arguments,
            "identity": text_of(call.identity_id),
            "principal": [call.principal_issuer, call.principal_subject],
            "key": call.key,
            "terms": _list_terms(standing.grant) if standing.grant else None,
        }
    )


def _list_bounds(call: Call, standing: Standing, by: Authority) -> dict[str, Any]:  # Any: JSON
    """Return the terms of what is no grant of the agent's own, if there are any."""
    name = call.spec.name
    parents = [
        [text_of(parent.run_id), text_of(parent.identity_id), _list_limit(parent.limits, name),
         _list_terms(parent.grant) if parent.grant else None]
        for parent in standing.parents
    ]  # fmt: skip
    bounds = {
        "for_user": [_list_bound(bound) for bound in standing.for_user],
        "limit": _list_limit(by.limits, name),
        "parents": parents,
    }
    return {name: value for name, value in bounds.items() if value}


def _list_limit(limits: Limits | None, tool: str) -> list[Any] | None:  # Any: JSON
    return None if limits is None else _list_bound(limits.get(tool, NO_CALL))


def _list_bound(bound: Bound) -> list[Any]:  # Any: JSON
    return [bound.decision, _list_caps(bound.caps), bound.over_caps]


def _list_caps(caps: Iterable[Cap]) -> list[list[Any]]:  # Any: JSON
    return [[cap.per, cap.count, _text(cap.amount)] for cap in caps]


def _list_terms(grant: GrantTerms) -> dict[str, Any]:  # Any: JSON
    """Return a grant's terms by value: its name alone would say nothing about a row that was bent since."""
    waiver = grant.waiver
    return {
        "grant": text_of(grant.id),
        "version": grant.version,
        "decision": grant.decision,
        "caps": _list_caps(grant.caps),
        "over_caps": grant.over_caps,
        "approval_ttl_s": grant.approval_ttl_s,
        "valid_until": _text(grant.valid_until),
        "waiver": [*waiver.signers, waiver.tool_version, _text(waiver.expires_at)] if waiver else None,
        **({"veto_s": grant.veto_s} if grant.veto_s else {}),
        **({"confirmation": True} if grant.confirmation else {}),
    }


def _text(value: Decimal | datetime | None) -> str | None:
    return None if value is None else str(value)


def digest_arguments(spec: ToolSpec, arguments: dict[str, Any]) -> str:
    """Return the keyed digest that names a proposal: the tool and its exact arguments."""
    return keyed_digest([spec.name, arguments])


def _digest_alike(call: Call) -> str:
    """Return what a call has in common with those that would have the same effect.

    Whatever undoes an effect is alike to what undoes it again, by any tool, and to nothing else.
    """
    if call.undoes:
        return keyed_digest(["undoes", call.undoes])
    return digest_for_dedupe(call.spec, call.arguments)


def alike_since(call: Call, now: datetime) -> datetime:
    """Return from when on a like effect under another key counts: what was undone stays undone."""
    return _EVER if call.undoes else now - timedelta(seconds=call.spec.dedupe_window_s)


def digest_for_dedupe(spec: ToolSpec, arguments: dict[str, Any]) -> str:
    """Return what two proposals of the same effect have in common, or an empty string."""
    if not spec.dedupe_on or spec.effect == "read":
        return ""
    path = spec.amount_argument.split(".") if spec.amount_argument else []
    plain = _write_amounts(arguments, path) if path else arguments
    return keyed_digest([str(spec.tool_id), [[name, plain.get(name)] for name in spec.dedupe_on]])


def _write_amounts(value: Any, path: Sequence[str]) -> Any:  # Any: JSON
    """Write the amounts at a path in one way only: 010.50 moves what 10.5 does."""
    if not path:
        return format(read_amount({"amount": value}, "amount").normalize(), "f")
    part, rest = path[0], path[1:]
    if part == "*" and isinstance(value, list):
        return [_write_amounts(each, rest) for each in value]
    if isinstance(value, dict) and part in value:
        return {**value, part: _write_amounts(value[part], rest)}
    return value


def refuse(call: Call, code: str, detail: str, source: Any) -> Assessment:  # Any: a Reason's source
    """Return an assessment that denies, without asking the policy."""
    decision = Decision("DENY", code, (Reason(source, code, detail),))
    return Assessment(call, decision, "", "", "", None, None, 0, False, detail)


def _describe(problems: Iterable[Problem]) -> str:
    return "; ".join(f"{problem.path or 'the arguments'} {problem.message}" for problem in problems)
