"""What keeps a driver from writing what it meant to: it stops, or folds again and decides anew."""

from __future__ import annotations

from agentops.engine.budgets import Shortfall
from agentops.errors import AgentOpsError


class LeaseLost(AgentOpsError):
    """Somebody else drives the run now: stop, and write nothing more."""


class HeadMoved(AgentOpsError):
    """People added to the stream meanwhile: the state is folded again, what was to be done is decided anew."""


class BudgetSet(AgentOpsError):
    """A shared budget binds the run that it has not drawn on: no model is asked before it has."""


class StandingChanged(AgentOpsError):
    """Those by whose authority the run acts stand otherwise than it was seen: no model is asked before it is heeded."""


class WindowMissing(AgentOpsError):
    """A window of a shared budget that the run draws on has begun, and nobody has opened it yet."""


class BudgetShort(AgentOpsError):
    """A shared budget has less left than the run would hold; ``missing`` says which."""

    missing: tuple[Shortfall, ...] = ()


class GuardRefused(AgentOpsError):
    """A guard said no (a cap is used up, an approval was voided): nothing was written."""
