"""Proposing how many people a kind of change takes."""

from __future__ import annotations

from agentops.api.serializers import BodySerializer, Fields, TextField, WordField
from agentops.errors import NotFound
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.changes.rules import SET_RULE
from identities.models import ChangeRule, Team, User


class RuleSubject(BodySerializer):
    verb = TextField(max_length=40, help_text="The kind of change.")
    team = TextField(
        required=False, default=None, allow_null=True, max_length=50,
        help_text="The team's slug; null: every team without a rule of its own.",
    )  # fmt: skip


class RuleValues(BodySerializer):
    needs = WordField(ChangeRule.Needs.choices)


class RuleProposal(ProposalBody):
    """How many people a kind of change takes."""

    verb = SET_RULE
    subject = RuleSubject()
    values = RuleValues()


def read_rule(actor: User, body: Fields) -> Fields:
    """Return the arguments of `rule.set`."""
    verb, slug = body["subject"]["verb"], body["subject"]["team"]
    team = None if slug is None else str(find_team(actor, slug).pk)
    return {"verb": verb, "team": team, "needs": body["values"]["needs"]}


def find_team(user: User, slug: str) -> Team:
    """Return a team that the user belongs to; raises NotFound."""
    found = Team.objects.visible_to(user).filter(slug=slug).first()
    if found is None:
        raise NotFound("unknown_team", "There is no such team, or it is not yours.")
    return found


let_propose(RuleProposal, read_rule)
