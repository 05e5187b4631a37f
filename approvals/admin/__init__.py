"""The approval inbox."""

from approvals.admin import panels
from approvals.admin.denials import DenialReasonsAdmin
from approvals.admin.inbox import ApprovalRequestAdmin
from approvals.admin.rules import ApprovalRuleAdmin
from approvals.admin.sampling import SamplingRuleAdmin

__all__ = ["ApprovalRequestAdmin", "ApprovalRuleAdmin", "DenialReasonsAdmin", "SamplingRuleAdmin", "panels"]
