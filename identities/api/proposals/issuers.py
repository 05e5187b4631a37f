"""Proposing that an issuer's tokens are believed when a client presents them."""

from __future__ import annotations

from uuid import UUID

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, Fields, FlagField, TextField
from agentops.errors import NotFound
from identities.api.applications import find_application
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.api.views import find_agent
from identities.changes.belief import BELIEVE
from identities.models import User
from identities.oauth.compact import ALGORITHMS
from identities.services.issuers import DEFAULT_ALGORITHMS


class ClientSubject(BodySerializer):
    client = serializers.UUIDField(help_text="The id of the application or agent that presents the tokens.")


class IssuerValues(BodySerializer):
    issuer = TextField(max_length=200, help_text="Exactly as the tokens' iss has it.")
    audience = TextField(
        max_length=200, help_text="What the provider knows the client by: the tokens' one aud."
    )
    jwks_url = TextField(
        max_length=500, required=False, default="", allow_blank=True,
        help_text="Empty: found by OpenID Connect discovery.",
    )  # fmt: skip
    algorithms = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(ALGORITHMS)), required=False, min_length=1,
        max_length=len(ALGORITHMS), default=list(DEFAULT_ALGORITHMS),
        help_text="By which the tokens may be signed.",
    )  # fmt: skip
    allow_private = FlagField(
        required=False, default=False, help_text="Its address is in a private network; for superusers."
    )


class IssuerProposal(ProposalBody):
    """That an issuer's tokens prove to a client who its user is."""

    verb = BELIEVE
    subject = ClientSubject()
    values = IssuerValues()


def read_issuer(actor: User, body: Fields) -> Fields:
    """Return the arguments of `issuer.add`."""
    return {"client": str(_find_account(actor, body["subject"]["client"]).pk), **body["values"]}


def _find_account(actor: User, client: UUID) -> User:
    try:
        return find_application(actor, client).service_account
    except NotFound:
        return find_agent(actor, id=client).service_account


let_propose(IssuerProposal, read_issuer)
