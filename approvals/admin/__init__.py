"""The approval inbox."""

from approvals.admin import panels, stopped
from approvals.admin.absences import AbsenceAdmin
from approvals.admin.channels import NoticeChannelAdmin
from approvals.admin.deliveries import MailPreferenceAdmin, NoticeDeliveryAdmin
from approvals.admin.denials import DenialReasonsAdmin
from approvals.admin.inbox import ApprovalRequestAdmin
from approvals.admin.oversight import OversightRuleAdmin
from approvals.admin.rules import ApprovalRuleAdmin
from approvals.admin.sampling import SamplingRuleAdmin
from approvals.admin.second_looks import SecondLookAdmin

__all__ = [
    "AbsenceAdmin",
    "ApprovalRequestAdmin",
    "ApprovalRuleAdmin",
    "DenialReasonsAdmin",
    "MailPreferenceAdmin",
    "NoticeChannelAdmin",
    "NoticeDeliveryAdmin",
    "OversightRuleAdmin",
    "SamplingRuleAdmin",
    "SecondLookAdmin",
    "panels",
    "stopped",
]
