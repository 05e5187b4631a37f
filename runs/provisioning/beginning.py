"""The last step of setting an agent up: the one function that lets a draft act."""

from __future__ import annotations

from functools import partial

from django.db import transaction

from identities.changes import do_or_propose
from identities.models import AgentIdentity, ChangeProposal, User
from identities.services import activate_agent
from runs.models import AgentVersion
from runs.publishing import publish_version


@transaction.atomic
def begin_agent(*, actor: User, agent: AgentIdentity) -> ChangeProposal | None:
    """Activate an agent and publish the version that was drafted with it; both or neither.

    Where either takes a second person that is proposed, and returned. Raises what ``activate_agent`` and
    ``publish_version`` raise: nothing acts without its guardrails.
    """
    active = do_or_propose(actor=actor, act=partial(activate_agent, actor=actor, agent=agent))
    if isinstance(active, ChangeProposal):
        return active  # an agent that does not act yet publishes nothing
    draft = AgentVersion.objects.filter(identity=active, state="draft").order_by("-number").first()
    if draft is None:
        return None
    done = do_or_propose(actor=actor, act=partial(publish_version, actor=actor, version=draft))
    return done if isinstance(done, ChangeProposal) else None
