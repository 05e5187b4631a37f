"""The last step of setting an agent up: the one function that lets a draft act."""

from __future__ import annotations

from django.db import transaction

from identities.models import AgentIdentity, User
from identities.services import activate_agent
from runs.models import AgentVersion
from runs.publishing import publish_version


@transaction.atomic
def begin_agent(*, actor: User, agent: AgentIdentity) -> AgentIdentity:
    """Activate an agent and publish the version that was drafted with it; both or neither.

    Raises what ``activate_agent`` and ``publish_version`` raise: nothing acts without its guardrails.
    """
    active = activate_agent(actor=actor, agent=agent)
    draft = AgentVersion.objects.filter(identity=active, state="draft").order_by("-number").first()
    if draft is not None:
        publish_version(actor=actor, version=draft)
    return active
