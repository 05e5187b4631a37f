"""What may be done: tools with their breakers, the servers they come from, and grants."""

from tools.admin import holders, panels
from tools.admin.grants import ToolGrantAdmin
from tools.admin.servers import ToolServerAdmin
from tools.admin.tables import DecisionTableAdmin
from tools.admin.tools import ToolAdmin
from tools.admin.user_terms import UserTermsAdmin

__all__ = [
    "DecisionTableAdmin",
    "ToolAdmin",
    "ToolGrantAdmin",
    "ToolServerAdmin",
    "UserTermsAdmin",
    "holders",
    "panels",
]
