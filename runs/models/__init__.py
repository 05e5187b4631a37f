"""What agents do: versions, runs with their steps and calls, and the budgets that runs share."""

from runs.models.asking import Extension, Handover
from runs.models.budgets import Budget, BudgetWindow, Escrow
from runs.models.campaigns import Campaign, CampaignItem
from runs.models.changesets import ChangeItem, ChangeSet
from runs.models.dead_letters import DeadLetter
from runs.models.evaluations import Evaluation, EvaluationCase, EvaluationResult, EvaluationSet, Example
from runs.models.fulfilment import Fulfilment
from runs.models.indicators import Regression, VersionLook
from runs.models.memory import Memory, MemoryReading, MemoryVector
from runs.models.metrics import Count, CountMark
from runs.models.parts import KeptPart
from runs.models.received import ReceivedCall
from runs.models.runs import (
    ENDED_STATES,
    UNSETTLED,
    Priority,
    Proof,
    Run,
    RunKind,
    RunMode,
    RunSnapshot,
    RunState,
    Step,
    ToolCall,
)
from runs.models.schedules import Schedule
from runs.models.stops import Stop
from runs.models.telemetry import SpanExport
from runs.models.versions import EXTERNAL, AgentVersion, Price

__all__ = [
    "ENDED_STATES",
    "EXTERNAL",
    "UNSETTLED",
    "AgentVersion",
    "Budget",
    "BudgetWindow",
    "Campaign",
    "CampaignItem",
    "ChangeItem",
    "ChangeSet",
    "Count",
    "CountMark",
    "DeadLetter",
    "Escrow",
    "Evaluation",
    "EvaluationCase",
    "EvaluationResult",
    "EvaluationSet",
    "Example",
    "Extension",
    "Fulfilment",
    "Handover",
    "KeptPart",
    "Memory",
    "MemoryReading",
    "MemoryVector",
    "Price",
    "Priority",
    "Proof",
    "ReceivedCall",
    "Regression",
    "Run",
    "RunKind",
    "RunMode",
    "RunSnapshot",
    "RunState",
    "Schedule",
    "SpanExport",
    "Step",
    "Stop",
    "ToolCall",
    "VersionLook",
]
