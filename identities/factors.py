"""How fresh the second factor of whoever acts is: noted where a request finds its person, asked for in services.

Whoever acts at a terminal of this machine, by `apply` or a command, was let in by the machine and is asked
nothing: no request brought them, so nothing is noted.
"""

from __future__ import annotations

from agentops.console.second_factor import REQUIRED
from agentops.errors import PolicyDenied
from identities.models import User


def has_fresh_factor(actor: User) -> bool:
    """Return whether a second factor was given within ``STEP_UP_WINDOW_S`` seconds, where one is asked for."""
    return actor.factor_is_fresh is None or actor.factor_is_fresh()


def require_fresh_factor(actor: User) -> None:
    """Raise PolicyDenied `second_factor_required` for a stale factor.

    Asked by every verb that gives something, or takes it away for good. One that only stops asks for nothing:
    it must stay as near as it is, and gives a thief no more than silence.
    """
    if not has_fresh_factor(actor):
        raise PolicyDenied(REQUIRED, "confirm with your second factor, then do it again")
