"""Requests for approval, their decisions, who stands in for whom, the rules about whose yes it takes, and batches."""

from approvals.models.absences import Absence
from approvals.models.batches import ApprovalBatch, BatchItem, OpenedRequest, SamplingRule, SavedView
from approvals.models.capacity import ReviewCapacity
from approvals.models.oversight import OversightRule, SecondLook
from approvals.models.requests import ApprovalDecision, ApprovalParent, ApprovalRequest
from approvals.models.rules import ApprovalRule, ApprovalStage, DenialReasons, StageGroup

__all__ = [
    "Absence",
    "ApprovalBatch",
    "ApprovalDecision",
    "ApprovalParent",
    "ApprovalRequest",
    "ApprovalRule",
    "ApprovalStage",
    "BatchItem",
    "DenialReasons",
    "OpenedRequest",
    "OversightRule",
    "ReviewCapacity",
    "SamplingRule",
    "SavedView",
    "SecondLook",
    "StageGroup",
]
