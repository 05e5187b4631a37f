"""The approval inbox."""

from approvals.admin import panels
from approvals.admin.absences import AbsenceAdmin
from approvals.admin.inbox import ApprovalRequestAdmin
from approvals.admin.rules import ApprovalRuleAdmin

__all__ = ["AbsenceAdmin", "ApprovalRequestAdmin", "ApprovalRuleAdmin", "panels"]
