"""Agent identities and their grants."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from agentops.rows import Changes
from identities.models import AgentIdentity
from identities.services import activate_agent, create_agent, revoke_agent, suspend_agent, update_agent
from runs.provisioning.session import Session, at, parse_moment
from tools.models import Tool, ToolGrant
from tools.services import Terms, Waiver, revoke_grant, set_grant, sign_waiver
from tools.services.grants import active_grant

MOVES = {"active": activate_agent, "suspended": suspend_agent, "revoked": revoke_agent}
TERMS = (
    "decision",
    "caps",
    "over_caps",
    "approval_ttl_s",
    "valid_until",
    "policy_table",
    "veto_s",
    "confirmation",
    "waiver_reason",
    "waiver_expires_at",
)


def apply_agents(session: Session) -> None:
    """Create or change agents. A new agent is activated, unless a state (draft) is stated.

    What an operator did in between stands: without ``state`` a suspended agent stays suspended.
    """
    for slug, entry in session.section("agents").items():
        with at(f"agents/{slug}"):
            agent = AgentIdentity.objects.filter(slug=slug).first()
            if agent is None:
                agent = _create(session, slug, entry)
            else:
                session.changed("agent", slug, _update(session, agent, entry))


def apply_grants(session: Session) -> None:
    """Give the agents their grants, of tools that call agents too."""
    for slug, entry in session.section("agents").items():
        if entry.get("state") != AgentIdentity.State.REVOKED:
            agent = AgentIdentity.objects.get(slug=slug)
            _apply_grants(session, agent, entry.get("grants", {}))


def _fields(session: Session, entry: dict[str, Any], end: datetime | None = None) -> dict[str, Any]:
    """Return what the document says of an agent, whose ``end`` stays unless the document has a word on it."""
    sponsor = entry.get("sponsor")
    return {
        "name": entry["name"],
        "purpose": entry["purpose"],
        "owner": session.person(entry["owner"]),
        "expires_at": parse_moment(entry["expires_at"]) if "expires_at" in entry else end,
        "sponsor": None if sponsor is None else session.person(sponsor),
        "recertify_by": parse_moment(entry.get("recertify_by")),
    }


def _create(session: Session, slug: str, entry: dict[str, Any]) -> AgentIdentity:
    fields, team = _fields(session, entry), session.team(entry["team"])
    agent = create_agent(actor=session.actor, team=team, slug=slug, **fields)
    state = entry.get("state", AgentIdentity.State.ACTIVE)
    if state != agent.state:
        agent = _move(session, agent, state) or agent
    if entry.get("exposed"):
        update_agent(actor=session.actor, agent=agent, exposed=True, **fields)
    session.created("agent", slug, {"team": team.slug, **fields, "state": agent.state})
    return agent


def _move(session: Session, agent: AgentIdentity, state: str) -> AgentIdentity | None:
    """Bring an agent into a state; return None where that waits for a second person."""
    return session.govern(f"agent {agent.slug}", lambda: MOVES[state](actor=session.actor, agent=agent))


def _update(session: Session, agent: AgentIdentity, entry: dict[str, Any]) -> Changes:
    wanted, before = entry.get("state", agent.state), agent.state
    if wanted == AgentIdentity.State.REVOKED == before:
        return {}
    fields = _fields(session, entry, agent.ends_at)
    stated, standing = fields["recertify_by"], agent.recertify_by
    if stated is not None and standing is not None and stated != standing:
        fields["recertify_by"] = None  # who recertified it has looked at it, a document has not
        session.notes.append(f"{agent.slug} is to be recertified by {standing:%Y-%m-%d}: that stays")
    fields["exposed"] = entry.get("exposed")
    update = partial(update_agent, actor=session.actor, agent=agent, **fields)
    changes = session.govern(f"agent {agent.slug}", update) or {}
    # Nothing becomes a draft again.
    if wanted not in (before, AgentIdentity.State.DRAFT) and _move(session, agent, wanted):
        changes["state"] = (before, wanted)
    return changes


def _apply_grants(session: Session, agent: AgentIdentity, grants: dict[str, dict[str, Any]]) -> None:
    for name, entry in grants.items():
        with at(f"agents/{agent.slug}/grants/{name}"):
            _apply_grant(session, agent, session.tool(agent.team, name), entry)
    others = ToolGrant.objects.filter(identity=agent, state="active").exclude(tool__name__in=grants)
    names = sorted(others.values_list("tool__name", flat=True))
    if names:
        session.notes.append(
            f"{agent.slug} is also granted {', '.join(names)}: not listed, so that stays; "
            "state: revoked takes a grant away"
        )


def _apply_grant(session: Session, agent: AgentIdentity, tool: Tool, entry: dict[str, Any]) -> None:
    name = f"{agent.slug} → {tool.name}"
    before = active_grant(agent, tool)
    if entry.get("state") == "revoked":
        if before is not None:
            revoke_grant(actor=session.actor, grant=before)
        session.changed("grant", name, {"decision": (before.decision, "revoked")} if before else {})
        return
    after = session.govern(name, lambda: _set(session, agent, tool, entry))
    if after is None:
        session.changed("grant", name, {})
    if after is None and "waiver" in entry:
        session.notes.append(
            f"{name}: signed by {session.actor.username}; a second person has to apply it too"
        )
    elif after is not None and before is None:
        session.created("grant", name, {field: getattr(after, field) for field in TERMS})
    elif after is not None:
        pairs = {field: (getattr(before, field), getattr(after, field)) for field in TERMS}
        session.changed("grant", name, {field: pair for field, pair in pairs.items() if pair[0] != pair[1]})


def _set(session: Session, agent: AgentIdentity, tool: Tool, entry: dict[str, Any]) -> ToolGrant | None:
    terms = Terms(
        decision=entry["decision"],
        caps=tuple(entry.get("caps", ())),
        over_caps=entry.get("over_caps", "DENY"),
        approval_ttl_s=entry.get("approval_ttl_s", 600),
        valid_until=parse_moment(entry.get("valid_until")),
        policy_table=session.decision_table(agent.team, entry["policy_table"]).pk
        if "policy_table" in entry
        else None,
        veto_s=entry.get("veto_s", 0),
        confirmation=entry.get("confirmation", False),
    )
    waiver = entry.get("waiver")
    if waiver is None:
        return set_grant(actor=session.actor, identity=agent, tool=tool, terms=terms)
    end = parse_moment(waiver["expires_at"])
    assert end is not None  # noqa: S101  the schema requires it
    signed = Waiver(reason=waiver["reason"], expires_at=end)
    return sign_waiver(actor=session.actor, identity=agent, tool=tool, terms=terms, waiver=signed)
