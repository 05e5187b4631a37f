"""The `decision` adapter: a decision table of the tool's team, asked with the arguments of the call.

Configuration: ``{"table": "refund-eligibility"}``. The version in force at the moment of the call decides. The result
has its ``outputs``, ``table``, ``version``, ``digest`` and ``trace``. Where nothing is decided, the call has failed.

The table takes a token that is minted for it and for this call, as a server elsewhere would: `decision_point`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tools.adapters.base import AdapterOptions, measure
from tools.adapters.decision_point import NOT_IN_FORCE, decide_for
from tools.calls import Call
from tools.credentials.inside import mint_hop
from tools.outcomes import Outcome, fail
from tools.tables.in_force import NO_DECISION

logger = logging.getLogger(__name__)


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
    try:
        hop = mint_hop(call)
    except Exception as error:  # nothing was asked yet
        logger.error("no token for %s: %s", call.spec.name, type(error).__name__)
        return fail("token_unavailable", "The call's token could not be signed.", retryable=True)
    return fail(NO_DECISION, NOT_IN_FORCE) if hop is None else decide_for(hop.token, UUID(hop.called), call)
