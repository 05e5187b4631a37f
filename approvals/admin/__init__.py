"""The approval inbox."""

from approvals.admin import panels
from approvals.admin.denials import DenialReasonsAdmin
from approvals.admin.inbox import ApprovalRequestAdmin
from approvals.admin.rules import ApprovalRuleAdmin

__all__ = ["ApprovalRequestAdmin", "ApprovalRuleAdmin", "DenialReasonsAdmin", "panels"]
