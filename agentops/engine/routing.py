"""What routes a run's model calls: which role the next one has, and what that rests on."""

from __future__ import annotations

from typing import Literal, NamedTuple

Role = Literal["plan", "execute", "summarise"]
# Why a call has its role. The first three make it a planning one, and so do the two after them.
Due = Literal["first_call", "message", "plan_changed"]
Why = Literal[Due, "invalid_arguments", "failed_steps", "next_step", "outgrown"]


class Routing(NamedTuple):
    """How the run's version has its calls routed, and how the run has fared.

    ``escalate_invalid``, ``escalate_failed``: after so many steps in a row the planning model is asked, 0: never.
    ``demote_percent``: with less than this share of the run's tokens or USD left, the cheapest model of a role is.
    ``due``: why the next call is a planning one, if it is. ``invalid``, ``failed``: how many steps in a row, up to the
    one before the present, proposed calls that nobody could make, and had calls that failed. ``role``, ``why``: of the
    present step. ``tried``: the models that failed to answer it; ``summary_tried``: those that wrote no summary.
    """

    escalate_invalid: int = 0
    escalate_failed: int = 0
    demote_percent: int = 0
    due: Due | Literal[""] = "first_call"
    invalid: int = 0
    failed: int = 0
    role: Role | Literal[""] = ""
    why: Why | Literal[""] = ""
    tried: tuple[str, ...] = ()
    summary_tried: tuple[str, ...] = ()
