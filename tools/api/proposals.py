"""Proposing what an agent may do with a tool, and how a tool is defined."""

from __future__ import annotations

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, Fields, FlagField, NumberField, TextField, WordField
from agentops.errors import NotFound, StateConflict
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.api.views import find_agent
from identities.changes import as_json
from identities.models import Principal, User
from tools.api.tables import find_version
from tools.caps import PERIODS
from tools.models import Effect, Idempotency, Tool, ToolGrant
from tools.services.catalogue import latest_version
from tools.services.changes import ADD_VERSION, SET_GRANT, SET_USER_TERMS
from tools.services.changes.tables import PUBLISH_TABLE
from tools.services.definition import definition_of
from tools.services.tables import LONGEST_ACKNOWLEDGEMENT
from tools.services.terms import LONGEST_TTL_S, Terms


class GrantSubject(BodySerializer):
    agent = serializers.UUIDField()
    tool = serializers.UUIDField()


class GrantCapBody(BodySerializer):
    """A ceiling on the number of calls, on their amount, or on both."""

    per = WordField(PERIODS)
    count = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    amount = TextField(required=False, min_length=1, max_length=40, help_text='A decimal, such as "50.00".')


class GrantValues(BodySerializer):
    """The terms as a whole: what is left out is as it is by default, not as it stands."""

    decision = WordField(ToolGrant.Decision.choices)
    caps = GrantCapBody(many=True, required=False)
    over_caps = WordField(["DENY", "REQUIRE_APPROVAL"], required=False)
    approval_ttl_s = NumberField(required=False, min_value=1, max_value=LONGEST_TTL_S)
    valid_until = serializers.DateTimeField(required=False, allow_null=True)
    policy_table = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="The id of a decision table that is asked about every call.",
    )
    veto_s = NumberField(
        required=False,
        min_value=0,
        max_value=LONGEST_TTL_S,
        help_text="For so many seconds a call with an effect is held before it goes out, for people to veto it.",
    )
    confirmation = FlagField(
        required=False,
        help_text="The end user confirms each call, through the application that started the run.",
    )


class GrantProposal(ProposalBody):
    """What an agent may do with a tool."""

    verb = SET_GRANT
    subject = GrantSubject()
    values = GrantValues()


def read_grant(actor: User, body: Fields) -> Fields:
    """Return the arguments of `grant.set`."""
    agent = find_agent(actor, id=body["subject"]["agent"])
    tool = find_tool(actor, id=body["subject"]["tool"])
    terms = Terms(**{**body["values"], "caps": tuple(body["values"].get("caps", ()))})
    return as_json({"identity": agent.pk, "tool": tool.pk, "terms": terms.values()})


class ToolSubject(BodySerializer):
    tool = serializers.UUIDField()


class ToolValues(BodySerializer):
    """What is to differ from the latest version; the rest stays. Where calls lead is not set here."""

    description = TextField(required=False)
    statement = TextField(required=False, allow_blank=True, max_length=300)
    effect = WordField(Effect.choices, required=False)
    idempotency = WordField(Idempotency.choices, required=False)
    input_schema = serializers.DictField(required=False)
    output_schema = serializers.DictField(required=False, allow_null=True)
    amount_argument = TextField(required=False, allow_blank=True, max_length=120)
    currency = TextField(required=False, allow_blank=True, max_length=8)
    dedupe_on = serializers.ListField(child=TextField(max_length=120), required=False)
    dedupe_window_s = NumberField(required=False, min_value=0, max_value=2**31 - 1)
    provenance = serializers.DictField(required=False)
    resolvers = serializers.DictField(required=False)
    max_concurrency = NumberField(required=False, allow_null=True, min_value=1, max_value=10_000)
    preview = serializers.DictField(required=False, allow_null=True)


class ToolProposal(ProposalBody):
    """How a tool is defined."""

    verb = ADD_VERSION
    subject = ToolSubject()
    values = ToolValues()


def read_version(actor: User, body: Fields) -> Fields:
    """Return the arguments of `tool_version.add`; raises StateConflict for a tool without a version."""
    tool = find_tool(actor, id=body["subject"]["tool"])
    latest = latest_version(tool)
    if latest is None:
        raise StateConflict("no_version", "This tool has no version yet: add the first one in the console.")
    return {"tool": str(tool.pk), "definition": {**definition_of(latest).values(), **body["values"]}}


def find_tool(user: User, **by: object) -> Tool:
    """Return the tool if the user may see it; raises NotFound."""
    found = Tool.objects.visible_to(user).filter(**by).first()
    if found is None:
        raise NotFound("unknown_tool", "There is no such tool, or it is not for you to know.")
    return found


class UserTermsSubject(BodySerializer):
    tool = serializers.UUIDField()
    principal = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="Null: the terms are for every end user."
    )


class UserTermsValues(BodySerializer):
    """The terms as a whole; a null decision ends those that stand."""

    decision = WordField(ToolGrant.Decision.choices, allow_null=True)
    caps = GrantCapBody(many=True, required=False)
    over_caps = WordField(["DENY", "REQUIRE_APPROVAL"], required=False)


class UserTermsProposal(ProposalBody):
    """What may be done with a tool on behalf of end users."""

    verb = SET_USER_TERMS
    subject = UserTermsSubject()
    values = UserTermsValues()


def read_user_terms(actor: User, body: Fields) -> Fields:
    """Return the arguments of `user_terms.set`."""
    tool, whose, values = (
        find_tool(actor, id=body["subject"]["tool"]),
        body["subject"]["principal"],
        body["values"],
    )
    if whose is not None and not Principal.objects.filter(team=tool.team, pk=whose).exists():
        raise NotFound("unknown_principal", "No run was for this end user yet.")
    terms = None
    if values["decision"] is not None:
        terms = Terms(**{**values, "caps": tuple(values.get("caps", ()))}).bound_values()
    return as_json({"tool": tool.pk, "principal": whose, "terms": terms})


class TableSubject(BodySerializer):
    table = serializers.UUIDField()
    version = NumberField(min_value=1, max_value=2**31 - 1)


class TableValues(BodySerializer):
    """Why it may decide although it has gaps or overlaps."""

    acknowledgement = TextField(
        required=False, default="", allow_blank=True, max_length=LONGEST_ACKNOWLEDGEMENT
    )


class TableProposal(ProposalBody):
    """That a draft of a decision table is to decide."""

    verb = PUBLISH_TABLE
    subject = TableSubject()
    values = TableValues()


def read_table(actor: User, body: Fields) -> Fields:
    """Return the arguments of `decision_table.publish`."""
    version = find_version(actor, body["subject"]["table"], body["subject"]["version"])
    return {"version": str(version.pk), **body["values"]}


let_propose(TableProposal, read_table)
let_propose(GrantProposal, read_grant)
let_propose(UserTermsProposal, read_user_terms)
let_propose(ToolProposal, read_version)
