"""What may be done: tools with their breakers, and grants."""

from tools.admin import panels
from tools.admin.grants import ToolGrantAdmin
from tools.admin.tools import ToolAdmin
from tools.admin.user_terms import UserTermsAdmin

__all__ = ["ToolAdmin", "ToolGrantAdmin", "UserTermsAdmin", "panels"]
