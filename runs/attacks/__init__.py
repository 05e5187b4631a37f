"""Attacks replayed: a planner that always obeys the attacker, against everything between it and the tools.

The model is the one thing that is played. Runs are started by the service, driven by the driver, assessed, gated
and executed as all runs are; nothing here decides whether a call may run, it only counts what became of calls.
"""

from runs.attacks.checking import check_suite
from runs.attacks.suite import Attack, Call, State, Suite, SuiteTool, Task

__all__ = ["Attack", "Call", "State", "Suite", "SuiteTool", "Task", "check_suite"]
