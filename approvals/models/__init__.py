"""Requests for approval, their decisions, who stands in for whom, and the rules about whose yes it takes."""

from approvals.models.absences import Absence
from approvals.models.requests import ApprovalDecision, ApprovalParent, ApprovalRequest
from approvals.models.rules import ApprovalRule, ApprovalStage, StageGroup

__all__ = [
    "Absence",
    "ApprovalDecision",
    "ApprovalParent",
    "ApprovalRequest",
    "ApprovalRule",
    "ApprovalStage",
    "StageGroup",
]
