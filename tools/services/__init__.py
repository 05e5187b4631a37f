"""What may be done to tools and grants. Every verb checks, locks, writes and records in one transaction."""

from tools.services.approvers import add_approver, remove_approver
from tools.services.breakers import force_breaker_open, lift_forced_breaker, reset_breaker
from tools.services.catalogue import accept_tool, add_version, create_tool, quarantine_tool, retire_tool
from tools.services.definition import ToolDefinition
from tools.services.grants import expire_grant, revoke_grant, set_grant
from tools.services.linting import override_lint
from tools.services.servers import (
    ServerDefinition,
    Takeover,
    create_server,
    import_tool,
    refresh_server,
    retire_server,
)
from tools.services.tables import (
    TableDraft,
    create_table,
    import_table,
    publish_table,
    retire_table,
    save_table,
)
from tools.services.terms import Terms
from tools.services.user_terms import end_user_terms, set_user_terms
from tools.services.waivers import Waiver, sign_waiver

__all__ = [
    "ServerDefinition",
    "TableDraft",
    "Takeover",
    "Terms",
    "ToolDefinition",
    "Waiver",
    "accept_tool",
    "add_approver",
    "add_version",
    "create_server",
    "create_table",
    "create_tool",
    "end_user_terms",
    "expire_grant",
    "force_breaker_open",
    "import_table",
    "import_tool",
    "lift_forced_breaker",
    "override_lint",
    "publish_table",
    "quarantine_tool",
    "refresh_server",
    "remove_approver",
    "reset_breaker",
    "retire_server",
    "retire_table",
    "retire_tool",
    "revoke_grant",
    "save_table",
    "set_grant",
    "set_user_terms",
    "sign_waiver",
]
