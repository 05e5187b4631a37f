"""Proposing what a team or an agent may spend, and what a model costs."""

from __future__ import annotations

from decimal import Decimal

from rest_framework import serializers

from agentops.api.serializers import AmountField, BodySerializer, Fields, NumberField, TextField, WordField
from agentops.errors import NotFound
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.api.proposals.rules import find_team
from identities.api.views import find_agent
from identities.changes import as_json
from identities.models import User
from runs.changes import PUBLISH, SET_BUDGET, SET_PRICE
from runs.models import AgentVersion, Budget

MOST = 2**53 - 1  # the largest integer that JSON carries unharmed


class BudgetSubject(BodySerializer):
    team = TextField(max_length=50, help_text="The team's slug.")
    agent = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="Null: the budget is the whole team's."
    )
    window = WordField(Budget.Window.choices)


class BudgetValues(BodySerializer):
    """The ceilings as a whole: one that is left out or null is none."""

    max_steps = NumberField(required=False, default=None, allow_null=True, min_value=1, max_value=MOST)
    max_tokens = NumberField(required=False, default=None, allow_null=True, min_value=1, max_value=MOST)
    max_usd = AmountField(16, 8, required=False, default=None, allow_null=True, min_value=Decimal("1e-8"))


class BudgetProposal(ProposalBody):
    """What a team or an agent may spend."""

    verb = SET_BUDGET
    subject = BudgetSubject()
    values = BudgetValues()


def read_budget(actor: User, body: Fields) -> Fields:
    """Return the arguments of `budget.set`."""
    subject = body["subject"]
    agent = None if subject["agent"] is None else find_agent(actor, id=subject["agent"])
    return as_json(
        {
            "team": find_team(actor, subject["team"]).pk,
            "identity": None if agent is None else agent.pk,
            "window": subject["window"],
            **body["values"],
        }
    )


class PriceSubject(BodySerializer):
    model = TextField(min_length=1, max_length=120)


class PriceValues(BodySerializer):
    """USD per million tokens. What is not said of cached input and of writing it costs what plain input does."""

    version = TextField(min_length=1, max_length=60, help_text="Where the price is from, and as of when.")
    input_usd_per_mtok = AmountField(14, 6, min_value=Decimal(0))
    output_usd_per_mtok = AmountField(14, 6, min_value=Decimal(0))
    cached_input_usd_per_mtok = AmountField(14, 6, required=False, min_value=Decimal(0))
    cache_write_usd_per_mtok = AmountField(14, 6, required=False, min_value=Decimal(0))


class PriceProposal(ProposalBody):
    """What a model costs."""

    verb = SET_PRICE
    subject = PriceSubject()
    values = PriceValues()


def read_price(actor: User, body: Fields) -> Fields:
    """Return the arguments of `price.set`."""
    plain = body["values"]["input_usd_per_mtok"]
    unsaid = {"cached_input_usd_per_mtok": plain, "cache_write_usd_per_mtok": plain}
    return as_json({"model": body["subject"]["model"], **unsaid, **body["values"]})


class VersionSubject(BodySerializer):
    agent = serializers.UUIDField()
    number = NumberField(min_value=1, max_value=2**31 - 1, help_text="Of the agent's draft.")


class PublicationProposal(ProposalBody):
    """Which version new runs of an agent use."""

    verb = PUBLISH
    subject = VersionSubject()


def read_publication(actor: User, body: Fields) -> Fields:
    """Return the arguments of `agent_version.publish`."""
    agent, number = find_agent(actor, id=body["subject"]["agent"]), body["subject"]["number"]
    version = AgentVersion.objects.filter(identity=agent, number=number).first()
    if version is None:
        raise NotFound("unknown_version", "The agent has no such version.")
    return {"version": str(version.pk)}


let_propose(BudgetProposal, read_budget)
let_propose(PublicationProposal, read_publication)
let_propose(PriceProposal, read_price)
