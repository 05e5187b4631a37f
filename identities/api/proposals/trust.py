"""Proposing that an application is trusted to say for which users it acts."""

from __future__ import annotations

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, Fields, FlagField
from identities.api.applications import find_application
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.changes.trust import TRUST
from identities.models import User


class ApplicationSubject(BodySerializer):
    application = serializers.UUIDField()


class TrustValues(BodySerializer):
    may_assert_users = FlagField(help_text="Trusted to say for which end user it acts.")


class TrustProposal(ProposalBody):
    """Whether an application is trusted to say for which end user it acts, without a token of that user."""

    verb = TRUST
    subject = ApplicationSubject()
    values = TrustValues()


def read_trust(actor: User, body: Fields) -> Fields:
    """Return the arguments of `application.trust`; the application's name stays."""
    application = find_application(actor, body["subject"]["application"])
    return {"application": str(application.pk), "name": application.name, **body["values"]}


let_propose(TrustProposal, read_trust)
