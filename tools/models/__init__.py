"""What may be done: the catalogue, who may use it on which terms, and what has been spent of those terms."""

from tools.models.catalogue import (
    Effect,
    Idempotency,
    Tool,
    ToolGroupObjectPermission,
    ToolUserObjectPermission,
    ToolVersion,
)
from tools.models.overrides import LintOverride
from tools.models.servers import ServerDocument, ServerTool, ToolServer
from tools.models.tables import DecisionTable, DecisionTableVersion
from tools.models.terms import ToolGrant, UserTerms
from tools.models.usage import BreakerState, BreakerTransition, CapUsage, EffectRecord

__all__ = [
    "BreakerState",
    "BreakerTransition",
    "CapUsage",
    "DecisionTable",
    "DecisionTableVersion",
    "Effect",
    "EffectRecord",
    "Idempotency",
    "LintOverride",
    "ServerDocument",
    "ServerTool",
    "Tool",
    "ToolGrant",
    "ToolGroupObjectPermission",
    "ToolServer",
    "ToolUserObjectPermission",
    "ToolVersion",
    "UserTerms",
]
