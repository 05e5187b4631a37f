"""The decision point: where a table takes a call, by a token that was minted for this table and this call."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from django.utils import timezone

from agentops.database import borrowed, orm_section
from identities.oauth.compact import TokenRefused
from identities.oauth.receipts import write_call_receipt
from identities.oauth.receiving import receive
from tools.adapters.base import accept_value
from tools.calls import Call
from tools.credentials.inside import arrive
from tools.decisions.answers import write_answer, write_trace
from tools.decisions.errors import ContradictoryTable, InvalidInputs
from tools.outcomes import Outcome, fail
from tools.tables.in_force import NO_DECISION, find_by_id, read_inputs

NOT_IN_FORCE = "No version of the decision table is in force."


def decide_for(token: str, table: UUID, call: Call) -> Outcome:
    """Decide a call that comes with this token, which is used up; whatever comes of it carries a signed receipt."""
    asked = arrive(call, str(table))
    try:
        with orm_section():  # readers are threads
            taken = receive(token, asked)
            receipt = write_call_receipt(taken, asked.arguments)
    except TokenRefused as refusal:
        return fail("token_refused", f"The table does not accept the token of this call: {refusal.reason}.")
    return replace(_decide(table, call), receipt=receipt)


def _decide(table: UUID, call: Call) -> Outcome:
    with borrowed() as connection:
        found = find_by_id(connection, table, timezone.now())
    if found is None:
        return fail(NO_DECISION, NOT_IN_FORCE)
    try:
        made = found.decider.decide(read_inputs(found, call.arguments))
    except (InvalidInputs, ContradictoryTable) as error:
        return fail(error.code, error.detail)
    outputs = write_answer(found.decider, list(made.values())[-1].value)
    if outputs is None:
        return fail(
            NO_DECISION, f"No rule of {found.slug} (version {found.number}) covers this: it is denied."
        )
    told = {"table": found.slug, "version": found.number, "digest": found.digest}
    return accept_value(call, {"outputs": outputs, **told, "trace": write_trace(made)})
