"""The `decision` adapter: a decision table of the tool's team, asked with the arguments of the call.

Configuration: ``{"table": "refund-eligibility"}``. The version in force at the moment of the call decides. The result
has its ``outputs``, ``table``, ``version``, ``digest`` and ``trace``. Where nothing is decided, the call has failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from agentops.database import borrowed
from tools.adapters.base import AdapterOptions, accept_value, measure
from tools.calls import Call
from tools.decisions.answers import write_answer, write_trace
from tools.decisions.errors import ContradictoryTable, InvalidInputs
from tools.outcomes import Outcome, fail
from tools.tables.in_force import NO_DECISION, find_for_tool, read_inputs


class DecisionAdapter:
    """Ask decision tables. Nothing is sent anywhere, and nothing has an effect."""

    def __init__(self, options: AdapterOptions) -> None:
        pass

    def invoke(self, call: Call, *, timeout_s: float, not_after: float = math.inf) -> Outcome:
        """Decide; see ``Adapter``."""
        return measure(lambda: _decide(call))

    def read_back(self, call: Call, *, timeout_s: float) -> Outcome | None:
        """Return nothing: a decision has no effect that could be asked about."""
        return None

    def check_config(self, config: Mapping[str, Any]) -> list[str]:
        """Return what has to be put right in a configuration."""
        remedies = [f"remove {name!r}: unknown" for name in sorted(config.keys() - {"table"})]
        if not isinstance(config.get("table"), str) or not config["table"]:
            remedies.append('add "table": the slug of a decision table of the team')
        return remedies


def _decide(call: Call) -> Outcome:
    with borrowed() as connection:
        found = find_for_tool(connection, call.spec.tool_id, call.spec.config["table"], timezone.now())
    if found is None:
        return fail(NO_DECISION, "No version of the decision table is in force.")
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
