"""The words that a client branches on, as the OpenAPI document lists them: from the types of what chooses them."""

from __future__ import annotations

from typing import get_args

from agentops.engine.fold import KINDS
from agentops.engine.state import CallStatus, LimitReached, StatusReason
from runs.models import Priority
from runs.projection import REVIEW_CAPACITY, StepState
from tools.authority import Verdict

STATUS_REASONS = (*get_args(StatusReason), REVIEW_CAPACITY)
LIMITS_REACHED = get_args(LimitReached)
PRIORITIES = tuple(priority.label for priority in Priority)
STEP_STATES = get_args(StepState)
CALL_STATES = get_args(CallStatus)
DECISIONS = get_args(Verdict)
EVENT_KINDS = KINDS
