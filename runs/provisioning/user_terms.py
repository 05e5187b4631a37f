"""What agents may do with a tool on behalf of each end user. Terms of one end user are set in the console."""

from __future__ import annotations

from typing import Any

from agentops.rows import Changes
from runs.provisioning.session import Session
from tools.models import Tool, UserTerms
from tools.services import Terms, end_user_terms, set_user_terms

FIELDS = ("decision", "caps", "over_caps")


def apply_user_terms(session: Session, tool: Tool, entry: dict[str, Any]) -> Changes:
    """Set or end the terms that bind every end user; a document that does not speak of them leaves them."""
    stated = entry.get("for_end_users")
    if stated is None:
        return {}
    present = UserTerms.objects.standing().filter(tool=tool, principal=None).first()
    before = None if present is None else {name: getattr(present, name) for name in FIELDS}
    after = None if stated.get("state") == "ended" else _read_terms(stated).bound_values()
    if before == after or _change(session, tool, present, stated) is None:
        return {}
    return {"for_end_users": (_say(before), _say(after))}


def _change(
    session: Session, tool: Tool, present: UserTerms | None, stated: dict[str, Any]
) -> UserTerms | None:
    def act() -> UserTerms:
        if stated.get("state") == "ended" and present is not None:
            return end_user_terms(actor=session.actor, terms=present)
        return set_user_terms(actor=session.actor, tool=tool, principal=None, terms=_read_terms(stated))

    return session.govern(f"tool {tool.name} for end users", act)


def _read_terms(stated: dict[str, Any]) -> Terms:
    return Terms(stated["decision"], tuple(stated.get("caps", ())), stated.get("over_caps", "DENY"))


def _say(values: dict[str, Any] | None) -> str:
    """Return terms in one line; what has ended, or never was, is empty."""
    if values is None:
        return ""
    caps = "; ".join(", ".join(f"{name} {value}" for name, value in cap.items()) for cap in values["caps"])
    return f"{values['decision']} {caps}".strip()
