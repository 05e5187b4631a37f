"""The words that a client branches on, as the OpenAPI document lists them: from the types of what chooses them."""

from __future__ import annotations

from typing import get_args

from agentops.engine.fold import KINDS
from agentops.engine.state import CallStatus, LimitReached, StatusReason
from runs.projection import StepState
from tools.authority import Verdict

STATUS_REASONS = get_args(StatusReason)
LIMITS_REACHED = get_args(LimitReached)
STEP_STATES = get_args(StepState)
CALL_STATES = get_args(CallStatus)
DECISIONS = get_args(Verdict)
EVENT_KINDS = KINDS
