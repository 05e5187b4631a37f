"""Whether a tool is still what was accepted of the document or module it was taken from, looked up at assessment.

A tool of an MCP server asks before each call. A document is not fetched for every call: what counts is which
description was accepted last, so that a version made of an earlier one is called no more, whoever pins it. A function
is looked at once more by its adapter, for this process may have other code than the one that accepted it.
"""

from __future__ import annotations

from agentops.database import Prepared, borrowed
from tools.authority import Reason
from tools.calls import Call

CHANGED = "definition_changed"
_ACCEPTED = Prepared("""
SELECT l.accepted_digest FROM tools_servertool l JOIN tools_toolserver s ON s.id = l.server_id
WHERE s.id = $1::uuid AND l.name = $2 AND s.state = 'active'
""")


def find_outdated(call: Call) -> Reason | None:
    """Return why a call cannot go out as its tool was pinned; nothing is asked for tools that come from no document."""
    config = call.spec.config
    origin = config.get("origin") if call.spec.adapter in ("http", "python") else None
    if call.spec.adapter == "a2a":  # its agent's card is read now and then, as a document is
        origin = {"server": config["server"], "operation": config["skill"], "digest": config["digest"]}
    if origin is None:
        return None
    with borrowed() as connection:
        rows = _ACCEPTED.rows(connection, [origin["server"], origin["operation"]])
    if rows and rows[0][0] == origin["digest"]:
        return None
    detail = f"{call.spec.name} was defined anew since this version of the agent was published, or its server is gone"
    return Reason("tool", CHANGED, detail)
