"""Grants and waivers as governed changes: what is compared, proposed, and called when it is activated."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from identities.changes import Change, as_json, find_loosening
from identities.models import AgentIdentity, User
from tools.models import Tool, ToolGrant
from tools.services.terms import Terms

SET_GRANT, WAIVE = "grant.set", "grant.waive"
GRANT = "tools.add_toolgrant"
TERMS = (
    "decision",
    "caps",
    "over_caps",
    "approval_ttl_s",
    "valid_until",
    "policy_table_id",
    "veto_s",
    "confirmation",
)

Row = dict[str, Any]  # Any: columns


def describe_grant(
    identity: AgentIdentity, tool: Tool, terms: Terms, waiver: Row, present: ToolGrant | None
) -> Change:
    """Describe the next version of a grant; ``waiver`` holds the row's fields of one, empty without."""
    before = None if present is None else {name: getattr(present, name) for name in TERMS}
    after = terms.values()
    waived = {name: waiver.get(name, "") for name in ("waived_version_digest",)}
    arguments = {"identity": identity.id, "tool": tool.id, "terms": after}
    if waiver:
        waived["waiver_expires_at"] = waiver["waiver_expires_at"]
        arguments |= {"reason": waiver["waiver_reason"], "expires_at": waiver["waiver_expires_at"]}
    is_waived = bool(waiver or (present is not None and present.waived_by_id))
    return Change(
        verb=WAIVE if waiver else SET_GRANT,
        subject=f"{identity.id}:{tool.id}",
        team=identity.team,
        permission=GRANT,
        title=f"What {identity} may do with {tool}{', without a person' if waiver else ''}",
        arguments=as_json(arguments),
        before=None if present is None or before is None else _before(present, before),
        after=as_json({**after, **waived}),
        loosening=("decision", "waived_version_digest") if waiver else find_looser_terms(before, after),
        undo=None if is_waived else as_json({**arguments, "terms": before}),
    )


def _before(present: ToolGrant, terms: Row) -> Row:
    waived = {"waived_version_digest": present.waived_version_digest} if present.waived_by_id else {}
    return as_json({**terms, **waived, "version": present.version})


def find_looser_terms(before: Row | None, after: Row) -> tuple[str, ...]:
    """Return what allows more. Nothing at all is stricter than any grant, and nothing looser than any denial."""
    if after["decision"] == ToolGrant.Decision.DENY:
        return ()
    if before is None or before["decision"] == ToolGrant.Decision.DENY:
        return ("decision",)
    return find_loosening(before, after)


def carry_out_grant(actor: User, arguments: Row) -> object:
    """Set the terms that a proposal holds; no terms take the grant away."""
    from tools.services.grants import active_grant, revoke_grant, set_grant  # which describe themselves here

    identity, tool = _parties(arguments)
    present = active_grant(identity, tool)
    if arguments["terms"] is not None:
        return set_grant(actor=actor, identity=identity, tool=tool, terms=_terms(arguments["terms"]))
    return None if present is None else revoke_grant(actor=actor, grant=present)


def carry_out_waiver(actor: User, arguments: Row) -> object:
    """Sign the waiver that a proposal holds, as the second person."""
    from tools.services.waivers import Waiver, sign_waiver

    identity, tool = _parties(arguments)
    waiver = Waiver(arguments["reason"], datetime.fromisoformat(arguments["expires_at"]))
    return sign_waiver(
        actor=actor, identity=identity, tool=tool, terms=_terms(arguments["terms"]), waiver=waiver
    )


def _parties(arguments: Row) -> tuple[AgentIdentity, Tool]:
    identity = AgentIdentity.objects.get(pk=arguments["identity"])
    return identity, Tool.objects.get(pk=arguments["tool"])


def _terms(values: Row) -> Terms:
    end, table = values["valid_until"], values.get("policy_table_id")
    return Terms(
        **{
            **{name: value for name, value in values.items() if name != "policy_table_id"},
            "policy_table": UUID(table) if table else None,
            "caps": tuple(values["caps"]),
            "valid_until": datetime.fromisoformat(end) if end else None,
        }
    )
