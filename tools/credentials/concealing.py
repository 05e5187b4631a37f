"""Making an attempt with something that nobody else may see: what the adapter says or raises is told without it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from tools.calls import Call
from tools.credentials.material import Answer, Credential, conceal_outcome
from tools.outcomes import doubt

logger = logging.getLogger(__name__)


def attempt_concealed(given: Credential, call: Call, attempt: Callable[[Call], Answer]) -> Answer:
    """Make an attempt of a call that carries this credential."""
    try:
        return conceal_outcome(given, attempt(call))
    except Exception as error:  # as everywhere around an adapter; what it says may hold what it was given
        told = given.conceal("".join(traceback.format_exception(error)))
        logger.error("the adapter %s raised: %s", call.spec.adapter, told)
        return doubt(call.spec.effect, "tool_error", f"The adapter failed with {type(error).__name__}.")
