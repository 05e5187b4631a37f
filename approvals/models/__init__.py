"""Requests for approval, their decisions, who stands in for whom, rules, batches, and notices."""

from approvals.models.absences import Absence
from approvals.models.batches import (
    ApprovalBatch,
    BatchGroup,
    BatchItem,
    OpenedRequest,
    SamplingRule,
    SavedView,
)
from approvals.models.capacity import ReviewCapacity
from approvals.models.confirmations import Confirmation
from approvals.models.notices import MailPreference, Notice, NoticeChannel, NoticeDelivery
from approvals.models.oversight import OversightRule, PassedRequest, SecondLook
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
    "BatchGroup",
    "BatchItem",
    "Confirmation",
    "DenialReasons",
    "MailPreference",
    "Notice",
    "NoticeChannel",
    "NoticeDelivery",
    "OpenedRequest",
    "OversightRule",
    "PassedRequest",
    "ReviewCapacity",
    "SamplingRule",
    "SavedView",
    "SecondLook",
    "StageGroup",
]
