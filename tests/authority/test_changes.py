"""Maker and checker: who proposes, who activates, and what then counts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from agentops.errors import AgentOpsError, NotFound, PolicyDenied, StateConflict, ValidationFailed
from identities.changes import (
    SecondPersonNeeded,
    activate,
    do_or_propose,
    propose,
    reject,
    roll_back,
    seconded,
    set_rule,
    withdraw,
)  # fmt: skip
from identities.changes.deciding import expire_proposals
from identities.models import AgentIdentity, ChangeProposal, ChangeRule, User
from identities.services import activate_agent, suspend_agent, update_agent
from runs.budgeting import set_budget
from runs.campaigns import may_judge
from runs.models import AgentVersion, Price
from runs.planner.prices import Price as Rates
from runs.pricing import set_price
from runs.publishing import publish_version, retire_version
from tests.cast import Cast, join, let_govern
from tests.factories import (
    AgentVersionFactory,
    PersonFactory,
    PriceFactory,
    ToolFactory,
    ToolVersionFactory,
)
from tests.ledger import kinds_of, last_entry
from tools.models import Tool, ToolGrant, UserTerms
from tools.services import (
    Terms,
    ToolDefinition,
    Waiver,
    add_version,
    end_user_terms,
    revoke_grant,
    set_grant,
    set_user_terms,
    sign_waiver,
)
from tools.services.definition import definition_of

pytestmark = [pytest.mark.django_db, pytest.mark.authority]

ALLOW, ASK = Terms("ALLOW"), Terms("REQUIRE_APPROVAL")
CAPPED = Terms("ALLOW_WITH_CAPS", caps=({"per": "day", "count": 10}, {"per": "call", "amount": "50.00"}))


@pytest.fixture
def tool(governed: Cast) -> Tool:
    let_govern(governed.bob)
    made: Tool = ToolVersionFactory.create(tool__team=governed.team).tool
    return made


def grant(cast: Cast, tool: Tool, terms: Terms = ASK, maker: User | None = None) -> ChangeProposal:
    """Let Alice propose terms."""
    actor = maker or cast.alice
    made = do_or_propose(
        actor=actor,
        act=lambda: set_grant(actor=actor, identity=cast.agent, tool=tool, terms=terms),
        reason="needed",
    )
    assert isinstance(made, ChangeProposal)
    return made


def check(actor: User, proposal: ChangeProposal, *, second_factor: bool = True) -> ChangeProposal:
    return activate(actor=actor, proposal=proposal, second_factor=second_factor)


def in_force(tool: Tool) -> list[str]:
    return list(ToolGrant.objects.filter(tool=tool, state="active").values_list("decision", flat=True))


def test_a_second_person_puts_what_one_proposed_into_force(governed: Cast, tool: Tool) -> None:
    with pytest.raises(SecondPersonNeeded) as refused:
        set_grant(actor=governed.alice, identity=governed.agent, tool=tool, terms=ASK)
    assert refused.value.code == "second_person_needed"
    proposal = grant(governed, tool)
    assert (in_force(tool), proposal.loosening, proposal.before) == ([], ["decision"], None)
    assert grant(governed, tool) == proposal  # the same again is the same

    done = check(governed.bob, proposal)

    assert (done.state, done.checker, in_force(tool)) == ("activated", governed.bob, ["REQUIRE_APPROVAL"])
    entry = last_entry(governed.agent.pk)
    assert entry.actor == governed.alice.pk
    assert entry.facts["proposal"] == str(proposal.pk)
    assert entry.facts["activated_by"] == str(governed.bob.pk)
    assert kinds_of(proposal.pk) == ["change.proposed", "change.activated"]
    with pytest.raises(StateConflict, match="activated"):
        check(governed.ada, proposal)


def test_what_tightens_stays_with_one_person_unless_a_rule_says_two(governed: Cast, tool: Tool) -> None:
    check(governed.bob, grant(governed, tool, ALLOW))
    for terms in (CAPPED, Terms("REQUIRE_APPROVAL", CAPPED.caps)):
        set_grant(actor=governed.alice, identity=governed.agent, tool=tool, terms=terms)
    denied = set_grant(actor=governed.alice, identity=governed.agent, tool=tool, terms=Terms("DENY"))
    revoke_grant(actor=governed.alice, grant=denied)
    set_rule(actor=governed.ada, verb="grant.set", team=None, needs="two")
    with pytest.raises(SecondPersonNeeded):
        set_grant(actor=governed.alice, identity=governed.agent, tool=tool, terms=Terms("DENY"))


REFUSED: dict[str, tuple[str, bool, type[AgentOpsError], str]] = {
    "the maker": ("alice", True, PolicyDenied, "own_proposal"),
    "a stale factor": ("bob", False, PolicyDenied, "second_factor_required"),
    "an outsider with the right": ("charlie", True, NotFound, "unknown_proposal"),
    "a colleague without it": ("fiona", True, PolicyDenied, "not_permitted"),
    "the agent's own account": ("machine", True, NotFound, "unknown_proposal"),
}


@pytest.mark.parametrize(("who", "second_factor", "error", "code"), REFUSED.values(), ids=REFUSED)
def test_who_may_not_be_the_second_person(
    governed: Cast, tool: Tool, who: str, second_factor: bool, error: type[AgentOpsError], code: str
) -> None:
    proposal = grant(governed, tool)
    actor = governed.agent.service_account if who == "machine" else getattr(governed, who)
    with pytest.raises(error) as refused:
        check(actor, proposal, second_factor=second_factor)
    assert refused.value.code == code
    with pytest.raises(error):
        reject(actor=actor, proposal=proposal, reason="no", second_factor=second_factor)
    assert in_force(tool) == []


def test_a_superuser_is_bound_too(governed: Cast, tool: Tool) -> None:
    proposal = grant(governed, tool, maker=governed.ada)
    with pytest.raises(PolicyDenied, match="ask a colleague"):
        check(governed.ada, proposal)
    assert check(governed.alice, proposal).state == "activated"


def test_the_maker_has_to_have_the_right_still(governed: Cast, tool: Tool) -> None:
    proposal = grant(governed, tool)
    governed.alice.user_permissions.clear()
    with pytest.raises(PolicyDenied, match="takes the right"):
        check(governed.bob, proposal)
    assert in_force(tool) == []
    proposal.refresh_from_db()
    assert proposal.state == "waiting"


def test_what_changed_since_is_proposed_anew(governed: Cast, tool: Tool) -> None:
    first, second = grant(governed, tool, ASK), grant(governed, tool, ALLOW)
    check(governed.bob, second)
    assert check(governed.bob, first).state == "outdated"
    assert in_force(tool) == ["ALLOW"]
    assert kinds_of(first.pk) == ["change.proposed", "change.outdated"]


def test_rejected_withdrawn_and_expired_proposals_do_nothing(governed: Cast, tool: Tool) -> None:
    refused, taken_back, late = (grant(governed, tool, terms) for terms in (ASK, ALLOW, CAPPED))
    with pytest.raises(ValidationFailed):
        reject(actor=governed.bob, proposal=refused, reason=" ", second_factor=True)
    assert (
        reject(actor=governed.bob, proposal=refused, reason="too wide", second_factor=True).checker
        == governed.bob
    )
    with pytest.raises(PolicyDenied, match="only who proposed"):
        withdraw(actor=governed.bob, proposal=taken_back)
    assert withdraw(actor=governed.alice, proposal=taken_back).state == "withdrawn"
    for proposal in (refused, taken_back):
        with pytest.raises(StateConflict):
            check(governed.bob, proposal)
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert expire_proposals(now=timezone.now()) == 1
    late.refresh_from_db()
    assert (late.state, in_force(tool)) == ("expired", [])


def test_a_change_is_rolled_back_and_to_loosen_again_takes_two(governed: Cast, tool: Tool) -> None:
    loosened = check(governed.bob, grant(governed, tool, ALLOW))
    roll_back(actor=governed.alice, proposal=loosened)  # there was no grant: it is revoked, by one person
    assert in_force(tool) == []
    check(governed.bob, grant(governed, tool, ASK))
    widened = check(governed.bob, grant(governed, tool, ALLOW))
    roll_back(actor=governed.bob, proposal=widened)
    assert in_force(tool) == ["REQUIRE_APPROVAL"]
    denied = {"identity": str(governed.agent.pk), "tool": str(tool.pk), "terms": Terms("DENY").as_facts()}
    tightened = propose(actor=governed.alice, verb="grant.set", arguments=denied)
    again = roll_back(actor=governed.alice, proposal=check(governed.bob, tightened))
    assert isinstance(again, ChangeProposal)
    assert (again.rolls_back, again.state, in_force(tool)) == (tightened, "waiting", ["DENY"])


def test_who_let_a_grant_allow_more_does_not_judge_it(governed: Cast, tool: Tool) -> None:
    """Neither of both, also when somebody has tightened it since and is named on it alone."""
    colleague, fiona = PersonFactory.create(), governed.fiona
    let_govern(colleague, fiona)
    join([(governed.team, colleague)])
    check(governed.bob, grant(governed, tool, ALLOW, maker=governed.ada))
    tighter = Terms("ALLOW", approval_ttl_s=60)
    present = set_grant(actor=fiona, identity=governed.agent, tool=tool, terms=tighter)
    people = (governed.ada, governed.bob, fiona, colleague)
    assert [who for who in people if may_judge(who, present).allowed] == [colleague]


@pytest.mark.django_db(transaction=True)
def test_two_checkers_at_once_have_one_effect(governed: Cast, tool: Tool) -> None:
    proposal = grant(governed, tool)

    def decide(actor: User) -> str:
        try:
            return check(actor, proposal).state
        except StateConflict as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(decide, [governed.bob, governed.ada]))
    assert told == ["activated", "change_decided"]
    assert kinds_of(governed.agent.pk) == ["grant.set"]


# --- the other verbs ------------------------------------------------------------------------------------


def test_a_milder_effect_class_takes_two(governed: Cast, tool: Tool) -> None:
    definition = definition_of(tool.versions.get())
    values = definition.values() | {"dedupe_on": ()}
    add_version(
        actor=governed.alice, tool=tool, definition=ToolDefinition(**{**values, "effect": "irreversible"})
    )
    milder = ToolDefinition(**{**values, "effect": "read", "dedupe_on": ("order_id",)})
    made = do_or_propose(
        actor=governed.alice, act=lambda: add_version(actor=governed.alice, tool=tool, definition=milder)
    )
    assert isinstance(made, ChangeProposal)
    assert made.loosening == ["effect"]
    assert check(governed.bob, made).state == "activated"
    assert tool.versions.get(number=3).effect == "read"
    roll_back(actor=governed.alice, proposal=made)
    assert tool.versions.get(number=4).effect == "irreversible"


def test_a_higher_ceiling_takes_two(governed: Cast, tool: Tool) -> None:
    def spend(usd: str) -> Callable[[], Any]:
        return lambda: set_budget(
            actor=governed.alice, team=governed.team, identity=None, window="day", max_usd=Decimal(usd)
        )

    budget, _ = spend("10")()  # a further ceiling only takes away
    spend("9")()
    made = do_or_propose(actor=governed.alice, act=spend("11"))
    assert isinstance(made, ChangeProposal)
    assert check(governed.bob, made).state == "activated"
    budget.refresh_from_db()
    assert budget.max_usd == Decimal(11)
    roll_back(actor=governed.alice, proposal=made)
    budget.refresh_from_db()
    assert budget.max_usd == Decimal(9)


@pytest.fixture
def priced() -> None:
    PriceFactory.create(model="test-model")


def test_what_runs_may_spend_goes_up_with_two(priced: None, governed: Cast, tool: Tool) -> None:
    """Compared is with what was published last, whether or not that was retired by then."""
    agent, before = governed.agent, {"max_usd": Decimal(2), "max_steps": 5}

    def publish(**limits: Any) -> Any:
        draft = AgentVersionFactory.create(identity=agent, **{**before, **limits})
        return do_or_propose(
            actor=governed.alice, act=partial(publish_version, actor=governed.alice, version=draft)
        )

    first = publish()
    assert first.state == "published"  # nothing was there that it could loosen
    assert publish(max_usd=Decimal(1)).state == "published"
    retire_version(actor=governed.alice, version=publish(max_usd=Decimal(1)))
    made = publish()
    assert (type(made), made.loosening) == (ChangeProposal, ["max_usd"])
    assert check(governed.bob, made).state == "activated"
    present = agent.versions.get(state="published")
    assert (present.max_usd, present.published_by) == (Decimal(2), governed.alice)
    assert isinstance(roll_back(actor=governed.bob, proposal=made), AgentVersion)
    assert agent.versions.get(state="published").max_usd == 1


def test_terms_of_end_users_loosen_with_two(governed: Cast, tool: Tool) -> None:
    def limit(terms: Terms) -> Any:
        return do_or_propose(
            actor=governed.alice,
            act=partial(set_user_terms, actor=governed.alice, tool=tool, principal=None, terms=terms),
        )

    stand = UserTerms.objects.standing().filter(tool=tool)
    limit(CAPPED)  # they only take away
    limit(Terms("REQUIRE_APPROVAL", CAPPED.caps))
    looser = limit(ALLOW)
    assert (type(looser), stand.get().decision) == (ChangeProposal, "REQUIRE_APPROVAL")
    ended = do_or_propose(
        actor=governed.alice, act=lambda: end_user_terms(actor=governed.alice, terms=stand.get())
    )
    assert isinstance(ended, ChangeProposal)
    assert stand.count() == 1
    assert check(governed.bob, looser).state == "activated"
    settle()
    assert stand.get().decision == "ALLOW"
    assert check(governed.bob, ended).state == "outdated"
    roll_back(actor=governed.bob, proposal=looser)
    settle()
    assert stand.get().decision == "REQUIRE_APPROVAL"


def settle() -> None:
    """Have the guards look that wait for the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def test_an_agent_begins_with_one_person_unless_a_rule_says_two(governed: Cast) -> None:
    let_govern(governed.bob)
    agent = suspend_agent(actor=governed.alice, agent=governed.agent)
    assert activate_agent(actor=governed.alice, agent=agent).state == "active"
    set_rule(actor=governed.ada, verb="agent.activate", team=governed.team, needs="two")
    suspend_agent(actor=governed.alice, agent=agent)
    made = do_or_propose(
        actor=governed.alice, act=lambda: activate_agent(actor=governed.alice, agent=governed.agent)
    )
    assert isinstance(made, ChangeProposal)
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        AgentIdentity.objects.filter(pk=agent.pk).update(state="active")
    assert check(governed.bob, made).state == "activated"
    agent.refresh_from_db()
    assert agent.state == "active"


def test_a_later_end_lets_nothing_act(governed: Cast) -> None:
    """What has expired is activated again, by as many people as that takes; its row alone says so, too."""
    set_rule(actor=governed.ada, verb="agent.activate", team=governed.team, needs="two")
    agents, past = AgentIdentity.objects.filter(pk=governed.agent.pk), timezone.now() - timedelta(days=1)
    agents.update(ends_at=past, expires_at=past)
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        agents.update(ends_at=None, expires_at=None)
    agent = agents.get()
    update_agent(actor=governed.alice, agent=agent, name="n", purpose="p", owner=agent.owner, expires_at=None)
    assert agents.get().state == "suspended"
    with pytest.raises(SecondPersonNeeded):
        activate_agent(actor=governed.alice, agent=agent)


def test_nobody_gets_rid_of_an_agent_alone(governed: Cast) -> None:
    """Its owner decides about none of its calls: by a hop they would."""
    let_govern(governed.bob)
    agent = governed.agent
    AgentIdentity.objects.filter(pk=agent.pk).update(purpose="Refunds.")
    said: dict[str, Any] = {"agent": agent, "name": agent.name, "purpose": "Refunds.", "expires_at": None}

    def hand_over(owner: User) -> Any:
        act = partial(update_agent, actor=governed.alice, owner=owner, **said)
        return do_or_propose(actor=governed.alice, act=act)

    made = hand_over(governed.fiona)
    assert (type(made), made.loosening) == (ChangeProposal, ["owner"])
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        AgentIdentity.objects.filter(pk=agent.pk).update(owner=governed.fiona)
    assert check(governed.bob, made).state == "activated"
    agent.refresh_from_db()
    assert agent.owner == governed.fiona
    back = roll_back(actor=governed.bob, proposal=made)
    assert isinstance(back, ChangeProposal), "that gets rid of her"
    User.objects.filter(pk=governed.fiona.pk).update(is_active=False)
    assert "owner" in hand_over(governed.bob), "who has left cannot gain by it"


def test_every_price_takes_two_superusers(governed: Cast) -> None:
    rates = {
        f"{name}_usd_per_mtok": Decimal(2) for name in ("input", "output", "cached_input", "cache_write")
    }
    second = PersonFactory.create(is_superuser=True)
    for version in ("1", "2", "1"):
        price = Rates(model="m", version=version, **rates)
        made = do_or_propose(actor=governed.ada, act=partial(set_price, actor=governed.ada, price=price))
        assert isinstance(made, ChangeProposal)
        with pytest.raises(NotFound):
            check(governed.alice, made)
        assert check(second, made).state == "activated"
        assert Price.objects.get(model="m", active=True).version == version


def test_a_rule_is_loosened_by_two_and_never_for_rules(governed: Cast) -> None:
    second = PersonFactory.create(is_superuser=True)

    def one() -> object:
        return set_rule(actor=governed.ada, verb="budget.set", team=governed.team, needs="one")

    made = do_or_propose(actor=governed.ada, act=one)
    assert isinstance(made, ChangeProposal)
    assert check(second, made).state == "activated"
    budget: dict[str, Any] = {
        "actor": governed.alice,
        "team": governed.team,
        "identity": None,
        "window": "day",
    }
    for usd in (10, 20):
        set_budget(**budget, max_usd=Decimal(usd))
    for verb in ("rule.set", "grant.waive"):
        with pytest.raises(ValidationFailed, match="always"):
            set_rule(actor=governed.ada, verb=verb, team=None, needs="one")
        with pytest.raises(ProgrammingError, match="second person"), transaction.atomic(), seconded(second):
            ChangeRule.objects.create(verb=f"{verb}", team=governed.team, needs="one")


def test_a_waiver_is_a_proposal_of_its_first_signer(governed: Cast) -> None:
    bob, fiona = governed.bob, governed.fiona
    let_govern(bob, fiona)
    refund: Tool = ToolVersionFactory.create(tool__team=governed.team, irreversible=True).tool
    terms: dict[str, Any] = {"identity": governed.agent, "tool": refund, "terms": CAPPED}
    waiver = Waiver("Small sums.", timezone.now() + timedelta(days=9))
    assert sign_waiver(actor=bob, **terms, waiver=waiver) is None
    proposal = ChangeProposal.objects.get(verb="grant.waive")
    signed = check(fiona, proposal)
    assert (signed.state, in_force(refund)) == ("activated", ["ALLOW_WITH_CAPS"])
    waived = ToolGrant.objects.get(tool=refund, state="active")
    assert (waived.waived_by, waived.countersigned_by) == (bob, fiona)


def test_who_came_to_own_the_agent_has_waived_nothing(governed: Cast) -> None:
    bob, fiona = governed.bob, governed.fiona
    let_govern(bob, fiona)
    refund: Tool = ToolVersionFactory.create(tool__team=governed.team, irreversible=True).tool
    waiver = Waiver("Small sums.", timezone.now() + timedelta(days=9))
    signed: dict[str, Any] = {"identity": governed.agent, "tool": refund, "terms": CAPPED, "waiver": waiver}
    sign_waiver(actor=bob, **signed)
    agent = governed.agent
    with seconded(governed.ada):
        update_agent(
            actor=governed.alice, agent=agent, name=agent.name, purpose="p", owner=bob, expires_at=None
        )
    assert check(fiona, ChangeProposal.objects.get(verb="grant.waive")).state == "outdated"
    assert sign_waiver(actor=fiona, **signed) is None  # hers is the first that counts
    assert in_force(refund) == []


def test_who_proposes_sees_it_and_other_teams_do_not(governed: Cast, tool: Tool) -> None:
    proposal = grant(governed, tool)
    outsider = PersonFactory.create()
    join([(governed.other_team, outsider)])
    seen = {who.username for who in (governed.alice, governed.bob, governed.ada, outsider)
            if ChangeProposal.objects.visible_to(who).filter(pk=proposal.pk).exists()}  # fmt: skip
    assert seen == {"alice", "bob", "ada"}
    assert ToolFactory.create().pk  # another team's tool, of which nothing was proposed
