"""Who owns an agent, as a governed change: an owner decides about none of its calls, and by a hop would."""

from __future__ import annotations

from datetime import datetime

from identities.changes.change import Change, Fields, as_json
from identities.models import AgentIdentity, User
from identities.querysets import is_known_person

HAND_OVER = "agent.hand_over"
CHANGE = "identities.change_agentidentity"


def describe_hand_over(agent: AgentIdentity, said: Fields) -> Change:
    """Describe another owner, with all that is ``said`` of the agent beside; of one who has left it loosens nothing."""
    owner: User = said["owner"]
    before = _stated(said_of(agent))
    return Change(
        verb=HAND_OVER,
        subject=str(agent.id),
        team=agent.team,
        permission=CHANGE,
        title=f"{owner} owns {agent}, in place of {agent.owner}",
        arguments=arguments_of(agent, said),
        before=before,
        after=_stated(said),
        loosening=("owner",) if is_known_person(agent.owner) else (),
        undo=arguments_of(agent, said_of(agent)),
    )


def said_of(agent: AgentIdentity) -> Fields:
    """Return all that is said of an agent now."""
    return {name: getattr(agent, name) for name in ("name", "purpose", "owner", "sponsor", "ends_at")}


def _stated(said: Fields) -> Fields:
    people = {f"{name}_id": said[name].pk if said[name] else None for name in ("owner", "sponsor")}
    names = {name: str(said[name]) if said[name] else None for name in ("owner", "sponsor")}
    return as_json({**said, **names, **people})


def arguments_of(agent: AgentIdentity, said: Fields) -> Fields:
    """Return what a proposal keeps of what is said of an agent."""
    return {**_stated(said), "agent": str(agent.pk)}


def carry_out_hand_over(actor: User, arguments: Fields) -> object:
    """Say of the agent what a proposal holds."""
    from identities.services import update_agent  # which describes itself here

    end, sponsor = arguments["ends_at"], arguments["sponsor_id"]
    return update_agent(
        actor=actor,
        agent=AgentIdentity.objects.get(pk=arguments["agent"]),
        name=arguments["name"],
        purpose=arguments["purpose"],
        owner=User.objects.get(pk=arguments["owner_id"]),
        sponsor=User.objects.get(pk=sponsor) if sponsor else None,
        expires_at=datetime.fromisoformat(end) if end else None,
    )
