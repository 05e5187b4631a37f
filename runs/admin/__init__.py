"""What agents are doing: runs, for whom, handovers, agent versions, budgets, prices, and the dashboard's panels."""

from runs.admin import blast_radius, dashboard, family, related, tool_use
from runs.admin.budgets import BudgetAdmin, PriceAdmin
from runs.admin.campaigns import CampaignAdmin
from runs.admin.capacity import ReviewCapacityAdmin
from runs.admin.changesets import ChangeSetAdmin
from runs.admin.dead_letters import DeadLetterAdmin
from runs.admin.evaluations import EvaluationSetAdmin
from runs.admin.examples import ExampleAdmin
from runs.admin.extensions import ExtensionAdmin
from runs.admin.handovers import HandoverAdmin
from runs.admin.memories import MemoryAdmin
from runs.admin.principals import PrincipalAdmin
from runs.admin.runs import RunAdmin
from runs.admin.schedules import ScheduleAdmin
from runs.admin.stops import KillSwitchAdmin, StopAdmin
from runs.admin.versions import AgentVersionAdmin

__all__ = [
    "AgentVersionAdmin",
    "BudgetAdmin",
    "CampaignAdmin",
    "ChangeSetAdmin",
    "DeadLetterAdmin",
    "EvaluationSetAdmin",
    "ExampleAdmin",
    "ExtensionAdmin",
    "HandoverAdmin",
    "KillSwitchAdmin",
    "MemoryAdmin",
    "PriceAdmin",
    "PrincipalAdmin",
    "ReviewCapacityAdmin",
    "RunAdmin",
    "ScheduleAdmin",
    "StopAdmin",
    "blast_radius",
    "dashboard",
    "family",
    "related",
    "tool_use",
]
