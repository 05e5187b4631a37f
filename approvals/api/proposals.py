"""Proposing whose yes calls take, how many are opened before a batch, and how deciders are watched over."""

from __future__ import annotations

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, Fields, FlagField, NumberField, TextField, WordField
from agentops.errors import NotFound
from approvals.governing import (
    LONGEST_S,
    MOST_PEOPLE,
    MOST_RULES,
    SET_RULE,
    read_ruling,
)
from approvals.models.requests import Factor
from approvals.oversight_rules import LONGEST_S as LONGEST_REST_S
from approvals.oversight_rules import MOST_APPROVALS, SET_OVERSIGHT, read_oversight
from approvals.sampling_rules import EFFECTS, MOST_OPENED, SET_SAMPLING, read_sampling
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.changes import as_json
from identities.models import Team, User
from tools.models import Effect


class RungBody(BodySerializer):
    """Who may decide too once nobody has for so long."""

    after_s = NumberField(min_value=1, max_value=LONGEST_S)
    group = TextField(min_length=1, max_length=150)


class StageBody(BodySerializer):
    """How many have to say yes, of whom. Whoever it is, they must have the tool's calls to approve."""

    needed = NumberField(min_value=1, max_value=MOST_PEOPLE)
    group = TextField(
        required=False,
        allow_null=True,
        min_length=1,
        max_length=150,
        help_text="Null: everybody who may approve.",
    )
    escalate = RungBody(many=True, required=False)


class ApprovalRuleSubject(BodySerializer):
    team = TextField(min_length=1, max_length=50, help_text="The team's slug.")
    place = NumberField(
        min_value=1, max_value=MOST_RULES, help_text="The first rule that fits a call counts."
    )


class ApprovalRuleValues(BodySerializer):
    """The rule as a whole; without stages the one that stands there ends. What is left out fits every call."""

    name = TextField(required=False, default="", allow_blank=True, max_length=80)
    tool = serializers.UUIDField(required=False, allow_null=True)
    effect = WordField(Effect.choices, required=False, allow_blank=True)
    agent = serializers.UUIDField(required=False, allow_null=True)
    min_amount = TextField(
        required=False, allow_null=True, min_length=1, max_length=40, help_text='A decimal, such as "500.00".'
    )
    currency = TextField(required=False, allow_blank=True, max_length=8)
    doubtful = FlagField(required=False, help_text="Only calls with a value that nobody has vouched for.")
    stages = StageBody(many=True, allow_null=True)
    reason_required = FlagField(required=False)
    factor = WordField(Factor.choices, required=False)


class ApprovalRuleProposal(ProposalBody):
    """Whose yes calls take."""

    verb = SET_RULE
    subject = ApprovalRuleSubject()
    values = ApprovalRuleValues()


def _find_team(actor: User, body: Fields) -> Team:
    team = Team.objects.visible_to(actor).filter(slug=body["subject"]["team"]).first()
    if team is None:
        raise NotFound("unknown_team", "There is no such team, or you are not on it.")
    found: Team = team
    return found


def read_rule(actor: User, body: Fields) -> Fields:
    """Return the arguments of `approval_rule.set`."""
    team = _find_team(actor, body)
    values = dict(body["values"])
    rule = None
    if values["stages"] is not None:
        values |= {"tool_id": values.pop("tool", None), "identity_id": values.pop("agent", None)}
        rule = as_json(read_ruling(as_json(values)).values())
    return {"team": str(team.pk), "place": body["subject"]["place"], "rule": rule}


let_propose(ApprovalRuleProposal, read_rule)


class SamplingRuleSubject(BodySerializer):
    team = TextField(min_length=1, max_length=50, help_text="The team's slug.")
    effect = WordField([(effect.value, effect.label) for effect in EFFECTS])


class SamplingRuleValues(BodySerializer):
    """The rule as a whole; `at_least` null ends the one that stands: then each request has to be opened."""

    at_least = NumberField(min_value=1, max_value=MOST_OPENED, allow_null=True)
    percent = NumberField(required=False, default=0, min_value=0, max_value=100)
    max_amount = TextField(
        required=False, allow_null=True, min_length=1, max_length=40, help_text='A decimal, such as "50.00".'
    )
    currency = TextField(required=False, allow_blank=True, max_length=8)


class SamplingRuleProposal(ProposalBody):
    """How many calls are opened one by one before the rest is approved together."""

    verb = SET_SAMPLING
    subject = SamplingRuleSubject()
    values = SamplingRuleValues()


def read_sampling_rule(actor: User, body: Fields) -> Fields:
    """Return the arguments of `sampling_rule.set`."""
    values = body["values"]
    rule = None if values["at_least"] is None else as_json(read_sampling(values).values())
    return {"team": str(_find_team(actor, body).pk), "effect": body["subject"]["effect"], "rule": rule}


let_propose(SamplingRuleProposal, read_sampling_rule)


class OversightRuleSubject(BodySerializer):
    team = TextField(min_length=1, max_length=50, help_text="The team's slug.")


class OversightRuleValues(BodySerializer):
    """The rule as a whole; `second_percent` null ends the one that stands: nobody has to rest, nothing is drawn."""

    most = NumberField(required=False, allow_null=True, min_value=2, max_value=MOST_APPROVALS)
    within_s = NumberField(required=False, allow_null=True, min_value=1, max_value=LONGEST_REST_S)
    pause_s = NumberField(required=False, allow_null=True, min_value=1, max_value=LONGEST_REST_S)
    second_percent = NumberField(min_value=0, max_value=100, allow_null=True)
    second_below = TextField(
        required=False, allow_null=True, min_length=1, max_length=40, help_text='A decimal, such as "50.00".'
    )
    currency = TextField(required=False, allow_blank=True, max_length=8)
    before_effect = FlagField(required=False, help_text="The second person looks before the call goes out.")


class OversightRuleProposal(ProposalBody):
    """When people rest from approving, and what a second person looks at."""

    verb = SET_OVERSIGHT
    subject = OversightRuleSubject()
    values = OversightRuleValues()


def read_oversight_rule(actor: User, body: Fields) -> Fields:
    """Return the arguments of `oversight_rule.set`."""
    values = body["values"]
    rule = None if values["second_percent"] is None else as_json(read_oversight(values).values())
    return {"team": str(_find_team(actor, body).pk), "rule": rule}


let_propose(OversightRuleProposal, read_oversight_rule)
