"""The approval inbox."""

from approvals.admin import panels
from approvals.admin.inbox import ApprovalRequestAdmin

__all__ = ["ApprovalRequestAdmin", "panels"]
