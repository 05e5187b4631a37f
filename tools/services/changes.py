"""Grants and tool versions as governed changes: what is compared, proposed, and called when it is activated."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from identities.changes import Change, Verb, as_json, find_loosening, register_verb
from identities.models import AgentIdentity, User
from tools.models import Tool, ToolGrant, ToolVersion
from tools.services.definition import ToolDefinition
from tools.services.terms import Terms

SET_GRANT, WAIVE, ADD_VERSION = "grant.set", "grant.waive", "tool_version.add"
GRANT, DEFINE = "tools.add_toolgrant", "tools.add_toolversion"
MILDEST_FIRST = ("read", "reversible", "irreversible")
TERMS = ("decision", "caps", "over_caps", "approval_ttl_s", "valid_until")

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
        loosening=_find_looser_terms(before, after, waiver),
        undo=None if is_waived else as_json({**arguments, "terms": before}),
    )


def _before(present: ToolGrant, terms: Row) -> Row:
    waived = {"waived_version_digest": present.waived_version_digest} if present.waived_by_id else {}
    return as_json({**terms, **waived, "version": present.version})


def _find_looser_terms(before: Row | None, after: Row, waiver: Row) -> tuple[str, ...]:
    """Return what allows more. Nothing at all is stricter than any grant, and nothing looser than any denial."""
    if waiver:
        return "decision", "waived_version_digest"
    if after["decision"] == ToolGrant.Decision.DENY:
        return ()
    if before is None or before["decision"] == ToolGrant.Decision.DENY:
        return ("decision",)
    return find_loosening(before, after)


def describe_version(
    tool: Tool, definition: ToolDefinition, digest: str, latest: ToolVersion | None
) -> Change:
    """Describe a further version; to call it milder, or to take what is capped from elsewhere, loosens."""
    before = None if latest is None else as_json(_facts_of(latest))
    after = {"effect": definition.effect, "amount_argument": definition.amount_argument, "digest": digest}
    return Change(
        verb=ADD_VERSION,
        subject=str(tool.id),
        team=tool.team,
        permission=DEFINE,
        title=f"How {tool} is defined, and what it does to the world",
        arguments={"tool": str(tool.id), "definition": definition.values()},
        before=before,
        after=after,
        loosening=() if before is None else tuple(_find_milder(before, after)),
        undo=None if latest is None else {"tool": str(tool.id), "version": str(latest.id)},
    )


def _facts_of(version: ToolVersion) -> Row:
    names = ("effect", "amount_argument", "digest", "number")
    return {name: getattr(version, name) for name in names}


def _find_milder(before: Row, after: Row) -> list[str]:
    milder = MILDEST_FIRST.index(after["effect"]) < MILDEST_FIRST.index(before["effect"])
    elsewhere = after["amount_argument"] != before["amount_argument"]
    return [name for name, is_so in (("effect", milder), ("amount_argument", elsewhere)) if is_so]


def register_verbs() -> None:
    """Let proposals of tools and grants be carried out."""
    register_verb(Verb(SET_GRANT, "What an agent may do with a tool", _set_grant))
    register_verb(
        Verb(WAIVE, "Let an irreversible tool run without a person", _sign_waiver, second_acts=True)
    )
    register_verb(Verb(ADD_VERSION, "How a tool is defined", _add_version))


def _set_grant(actor: User, arguments: Row) -> object:
    from tools.services.grants import active_grant, revoke_grant, set_grant  # which describe themselves here

    identity, tool = _parties(arguments)
    present = active_grant(identity, tool)
    if arguments["terms"] is not None:
        return set_grant(actor=actor, identity=identity, tool=tool, terms=_terms(arguments["terms"]))
    return None if present is None else revoke_grant(actor=actor, grant=present)


def _sign_waiver(actor: User, arguments: Row) -> object:
    from tools.services.waivers import Waiver, sign_waiver

    identity, tool = _parties(arguments)
    waiver = Waiver(arguments["reason"], datetime.fromisoformat(arguments["expires_at"]))
    return sign_waiver(
        actor=actor, identity=identity, tool=tool, terms=_terms(arguments["terms"]), waiver=waiver
    )


def _add_version(actor: User, arguments: Row) -> object:
    from tools.services.catalogue import add_version
    from tools.services.definition import definition_of

    tool = Tool.objects.get(pk=arguments["tool"])
    if "version" in arguments:
        definition = definition_of(ToolVersion.objects.get(pk=arguments["version"]))
    else:
        values = arguments["definition"]
        definition = ToolDefinition(**{**values, "dedupe_on": tuple(values["dedupe_on"])})
    return add_version(actor=actor, tool=tool, definition=definition)


def _parties(arguments: Row) -> tuple[AgentIdentity, Tool]:
    identity = AgentIdentity.objects.get(pk=arguments["identity"])
    return identity, Tool.objects.get(pk=arguments["tool"])


def _terms(values: Row) -> Terms:
    end = values["valid_until"]
    return Terms(
        **{
            **values,
            "caps": tuple(values["caps"]),
            "valid_until": datetime.fromisoformat(end) if end else None,
        }
    )
