"""Requests for approval, their decisions, and the rules about whose yes it takes."""

from approvals.models.capacity import ReviewCapacity
from approvals.models.requests import ApprovalDecision, ApprovalParent, ApprovalRequest
from approvals.models.rules import ApprovalRule, ApprovalStage, DenialReasons, StageGroup

__all__ = [
    "ApprovalDecision",
    "ApprovalParent",
    "ApprovalRequest",
    "ApprovalRule",
    "ApprovalStage",
    "DenialReasons",
    "ReviewCapacity",
    "StageGroup",
]
