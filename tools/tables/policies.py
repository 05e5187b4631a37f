"""Grants that ask a decision table about every call: what it is told, and what its answer means.

It answers with an output ``verdict`` (ALLOW, ALLOW_WITH_CAPS, REQUIRE_APPROVAL, DENY); ALLOW_WITH_CAPS needs an output
``cap_amount``, the most that the call may move. Whatever else comes out, and whatever goes wrong, is a DENY.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from agentops.database import borrowed
from agentops.errors import StateConflict, ValidationFailed
from tools.authority import GrantTerms, Standing, TableAnswer
from tools.calls import Call
from tools.decisions.feel.values import Value
from tools.decisions.results import Decision
from tools.tables.in_force import VersionInForce, find_by_id

VERDICT, CAP = "verdict", "cap_amount"
ARGUMENT = "argument "  # before the name of an argument of the call
ABOUT = ("amount", "currency", "tool", "effect", "agent", "principal issuer", "principal subject", "now")


def is_known_input(name: str) -> bool:
    """Return whether a table that decides about calls can be told this."""
    return name in ABOUT or name.startswith(ARGUMENT)


def ask_tables(
    call: Call, amount: Decimal | None, standing: Standing, now: datetime
) -> Mapping[UUID, TableAnswer]:
    """Return what the tables of the agent's grant, and of those it acts for, say of a call, by grant."""
    grants = [grant for grant in _grants(standing) if grant.policy_table is not None]
    if not grants:
        return {}
    about = _describe(call, amount, now)
    with borrowed() as connection:
        return {grant.id: _ask(connection, grant, about, call, now) for grant in grants}


def _grants(standing: Standing) -> Iterator[GrantTerms]:
    for grant in (standing.grant, *(parent.grant for parent in standing.parents)):
        if grant is not None:
            yield grant


def _describe(call: Call, amount: Decimal | None, now: datetime) -> dict[str, object]:
    told = (
        amount,
        call.spec.currency,
        call.spec.name,
        call.spec.effect,
        call.identity_name,
        call.principal_issuer,
        call.principal_subject,
        now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return dict(zip(ABOUT, told, strict=True))


def _ask(
    connection: psycopg.Connection[Any],
    grant: GrantTerms,
    about: Mapping[str, object],
    call: Call,
    now: datetime,
) -> TableAnswer:
    assert grant.policy_table is not None  # noqa: S101  the caller has looked
    try:
        found = find_by_id(connection, grant.policy_table, now)
        if found is None:
            return TableAnswer("", "no version of the grant's decision table is in force", ())
        return _decide(found, about, call)
    except (ValidationFailed, StateConflict) as error:
        return TableAnswer("", f"the grant's decision table decides nothing: {error.code}", ())


def answer_about(found: VersionInForce, call: Call, amount: Decimal | None, at: datetime) -> TableAnswer:
    """Return what a version says of a call that was made at a time, as it says of one that is made."""
    return _decide(found, _describe(call, amount, at), call)


def _decide(found: VersionInForce, about: Mapping[str, object], call: Call) -> TableAnswer:
    try:
        made = found.decider.decide(_tell(found, about, call))
        return _read(found, list(made.values())[-1])
    except (ValidationFailed, StateConflict) as error:  # inputs that it does not take, rules that contradict
        name = f"decision table {found.slug} (version {found.number})"
        return TableAnswer("", f"{name} decides nothing: {error.code}", ())


def _tell(found: VersionInForce, about: Mapping[str, object], call: Call) -> dict[str, object]:
    """Return the inputs that a table asks for; an argument that was left out is null."""
    told = {}
    for each in found.decider.variables:
        if each.name.startswith(ARGUMENT):
            told[each.name] = call.arguments.get(each.name.removeprefix(ARGUMENT))
        elif each.name in about:
            told[each.name] = about[each.name]
    return told


def _read(found: VersionInForce, decision: Decision) -> TableAnswer:
    outputs = _outputs(found, decision)
    verdict, ceiling = outputs.get(VERDICT), outputs.get(CAP)
    rules = ", ".join(decision.rules) or ("its default" if decision.by_default else "none")
    said = verdict if isinstance(verdict, str) else "nothing"
    detail = f"decision table {found.slug} (version {found.number}) says {said[:20]}: rules {rules}"
    return TableAnswer(
        said,
        detail,
        (found.slug, str(found.number), found.digest, rules),
        ceiling if isinstance(ceiling, Decimal) else None,
    )


def _outputs(found: VersionInForce, decision: Decision) -> Mapping[str, Value]:
    """Return one row of outputs; a list, or no decision at all, is none."""
    value = decision.value
    if isinstance(value, dict):
        return value
    return {found.decider.outputs[0].name: decision.scalar()} if found.decider.outputs else {}
