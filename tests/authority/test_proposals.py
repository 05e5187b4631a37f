"""Proposals through the API: who may do what about them, and that it is what the console does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from guardian.shortcuts import assign_perm

from approvals.governing import Ruling, set_approval_rule
from approvals.models import Absence, ApprovalRule, OversightRule, SamplingRule
from approvals.oversight_rules import Oversight, set_oversight_rule
from identities.api.proposals.bodies import proposable_verbs
from identities.changes import known_verbs, propose
from identities.models import (
    AgentIdentity,
    ApiKey,
    Application,
    ChangeProposal,
    ChangeRule,
    TokenIssuer,
    User,
)
from runs.models import AgentVersion, Budget, Price
from tests.api.caller import Answer, Caller
from tests.api.conftest import Callers
from tests.cast import Cast, let_govern
from tests.console.visits import sign_in
from tests.factories import (
    AgentVersionFactory,
    BudgetFactory,
    PersonFactory,
    PriceFactory,
    ToolVersionFactory,
)
from tests.ledger import kinds_of
from tests.tools.tables import CASES, eligibility, make_table
from tools.models import DecisionTable, DecisionTableVersion, Tool, ToolGrant, ToolVersion, UserTerms
from tools.services import TableDraft, save_table

pytestmark = [pytest.mark.django_db, pytest.mark.authority]

Body = dict[str, Any]  # Any: JSON
NOW = timezone.now()
REASON = {"reason": "Too much."}


@pytest.fixture
def budget(cast: Cast) -> Budget:
    made: Budget = BudgetFactory.create(team=cast.team, window="day", max_usd=10)
    return made


@pytest.fixture
def waiting(budget: Budget, governed: Cast) -> ChangeProposal:
    """Have Alice propose more money; Bob may do the same, Fiona not."""
    let_govern(governed.bob)
    return proposed_by(governed.alice, "20")


def proposed_by(maker: User, usd: str) -> ChangeProposal:
    team = str(Budget.objects.get().team_id)
    limits = {"max_steps": None, "max_tokens": None, "max_usd": usd}
    return propose(
        actor=maker,
        verb="budget.set",
        arguments={"team": team, "identity": None, "window": "day", **limits},
        reason="Autumn.",
    )


def more_money(usd: str = "30", **values: object) -> Body:
    return {
        "verb": "budget.set",
        "subject": {"team": "support", "window": "day"},
        "values": {"max_usd": usd, **values},
        "reason": "Winter.",
    }


def open_windows() -> None:
    """Let everybody have confirmed with their second factor just now."""
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(seconds=60))


def at(proposal: ChangeProposal, deed: str = "") -> str:
    return f"/proposals/{proposal.pk}{deed and '/'}{deed}"


def tell(caller: Caller, proposal: ChangeProposal, deed: str, key: str = "k") -> Answer:
    body = REASON if deed in ("reject", "roll-back") else {}
    return caller.post(at(proposal, deed), body, key=key)


def outcome(answer: Answer) -> object:
    return answer.body.get("state", answer.status) if answer.status < 300 else answer.code


DEEDS = ("propose", "read", "activate", "reject", "withdraw", "roll-back")
NOT_THERE = ("unknown_proposal",) * 5
MAY = {
    "alice": ("waiting", "waiting", "own_proposal", "own_proposal", "withdrawn", 200),
    "bob": ("waiting", "waiting", "activated", "rejected", "not_your_proposal", 200),
    "fiona": ("not_permitted", "waiting", "not_permitted", "not_permitted", "not_your_proposal", "not_permitted"),
    "ada": ("waiting", "waiting", "activated", "rejected", "not_your_proposal", 200),
    "charlie": ("unknown_team", *NOT_THERE),
    "app": ("unknown_team", *NOT_THERE),
    "stranger": ("not_authenticated",) * 6,
}  # fmt: skip


@pytest.mark.parametrize("who", MAY)
def test_who_may_do_what_about_a_proposal(
    governed: Cast, callers: Callers, waiting: ChangeProposal, who: str
) -> None:
    open_windows()
    caller: Caller = getattr(callers, who)
    tries: dict[str, Callable[[], Answer]] = {
        "propose": lambda: caller.post("/proposals", more_money()),
        "read": lambda: caller.get(at(waiting)),
        **{deed: lambda deed=deed: tell(caller, waiting, deed) for deed in DEEDS[2:]},  # type: ignore[misc]  # a default
    }  # fmt: skip
    told = []
    for deed, attempt in tries.items():
        with transaction.atomic():
            if deed == "roll-back":
                assert tell(callers.ada, waiting, "activate", key="before").status == 200
            told.append(outcome(attempt()))
            transaction.set_rollback(True)
    assert tuple(told) == MAY[who]


def test_a_superuser_does_not_activate_their_own(
    governed: Cast, callers: Callers, waiting: ChangeProposal
) -> None:
    open_windows()
    own = proposed_by(governed.ada, "25")
    assert tell(callers.ada, own, "activate").code == "own_proposal"
    assert callers.ada.get(at(own)).body["may_decide"]["code"] == "own_proposal"
    assert tell(callers.alice, own, "activate").status == 200


def test_a_proposal_says_who_wants_what_from_what_to_what_and_who_may_decide(
    governed: Cast, callers: Callers, waiting: ChangeProposal
) -> None:
    shown = callers.bob.get(at(waiting)).body
    assert shown["differences"] == [
        {"field": "max_usd", "before": "10.00000000", "after": "20", "loosens": True}
    ]
    assert (shown["maker"], shown["checker"], shown["team"]) == ("alice", None, "support")
    assert (shown["reason"], shown["loosening"]) == ("Autumn.", ["max_usd"])
    assert shown["may_decide"]["code"] == "second_factor_required"
    open_windows()
    assert callers.bob.get(at(waiting)).body["may_decide"] == {"allowed": True, "code": "", "detail": ""}
    tell(callers.bob, waiting, "reject")
    decided = callers.alice.get(at(waiting)).body
    assert (decided["checker"], decided["answer"]) == ("bob", "Too much.")
    assert decided["may_decide"]["code"] == "change_decided"


def test_a_stale_factor_decides_nothing_and_the_same_key_may_try_again(
    callers: Callers, waiting: ChangeProposal, budget: Budget
) -> None:
    assert callers.bob.post(at(waiting, "activate"), {}).code == "idempotency_key_missing"
    for deed in ("activate", "reject"):
        assert tell(callers.bob, waiting, deed).code == "second_factor_required"
    ApiKey.objects.update(verified_until=timezone.now())
    assert tell(callers.bob, waiting, "activate").code == "second_factor_required"
    open_windows()
    done = tell(callers.bob, waiting, "activate")
    again = tell(callers.bob, waiting, "activate")
    assert (done.status, again.body, again.headers["Idempotent-Replayed"]) == (200, done.body, "true")
    for deed in ("activate", "reject"):
        assert tell(callers.ada, waiting, deed, key="another").code == "change_decided"
    assert tell(callers.alice, waiting, "withdraw").code == "change_decided"
    assert kinds_of(waiting.pk) == ["change.proposed", "change.activated"]
    budget.refresh_from_db()
    assert budget.max_usd == 20


def test_what_is_outdated_or_late_is_a_conflict_and_stays_so(
    governed: Cast, callers: Callers, waiting: ChangeProposal
) -> None:
    open_windows()
    other, third = proposed_by(governed.alice, "15"), proposed_by(governed.alice, "16")
    assert tell(callers.bob, other, "activate").status == 200
    assert tell(callers.bob, waiting, "activate").code == "change_outdated"
    assert tell(callers.bob, waiting, "activate").code == "change_decided"
    assert callers.bob.get(at(waiting)).body["state"] == "outdated"
    with time_machine.travel(timezone.now() + timedelta(days=7, seconds=1)):
        open_windows()
        assert callers.bob.get(at(third)).body["may_decide"]["code"] == "change_decided"
        assert tell(callers.bob, third, "activate").code == "change_expired"
        assert tell(callers.bob, third, "activate").code == "change_decided"


@pytest.mark.parametrize("deed", ["reject", "withdraw"])
def test_what_comes_too_late_is_not_said_to_be_done(
    callers: Callers, waiting: ChangeProposal, deed: str
) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        open_windows()
        who = callers.bob if deed == "reject" else callers.alice
        assert tell(who, waiting, deed).code == "change_expired"


@pytest.mark.django_db(transaction=True)
def test_two_activations_at_once_have_one_effect(
    governed: Cast, callers: Callers, waiting: ChangeProposal
) -> None:
    open_windows()

    def activate(caller: Caller) -> object:
        try:
            return outcome(tell(caller, waiting, "activate"))
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        told = sorted(map(str, pool.map(activate, [callers.bob, callers.ada])))
    assert told == ["activated", "change_decided"]
    assert kinds_of(waiting.pk) == ["change.proposed", "change.activated"]


SECOND = {"activate": "bob", "reject": "bob", "withdraw": "alice", "roll_back": "alice"}


@pytest.mark.parametrize("deed", SECOND)
def test_the_console_does_the_same(
    governed: Cast, callers: Callers, waiting: ChangeProposal, deed: str
) -> None:
    open_windows()
    if deed == "roll_back":
        tell(callers.bob, waiting, "activate")

    def through_the_console() -> None:
        form = {"action": deed, "_selected_action": str(waiting.pk), "confirmed": "1", **REASON}
        person = getattr(governed, SECOND[deed])
        sign_in(person).post(reverse("admin:identities_changeproposal_changelist"), form)

    def through_the_api() -> None:
        answer = tell(getattr(callers, SECOND[deed]), waiting, deed.replace("_", "-"))
        assert answer.status == 200

    came_of_it = []
    for door in (through_the_console, through_the_api):
        with transaction.atomic():
            door()
            columns = ("state", "checker", "answer")
            row = ChangeProposal.objects.values(*columns).get(pk=waiting.pk)
            came_of_it.append(
                (row, Budget.objects.get().max_usd, kinds_of(waiting.pk), kinds_of(governed.team.pk))
            )
            transaction.set_rollback(True)
    assert came_of_it[0] == came_of_it[1]
    assert len(came_of_it[0][2]) == 2  # something was done


# --- proposing ------------------------------------------------------------------------------------------


def grant(cast: Cast, tool: Tool) -> Body:
    subject = {"agent": str(cast.agent.pk), "tool": str(tool.pk)}
    caps = [{"per": "day", "count": 3}]
    return {"verb": "grant.set", "subject": subject, "values": {"decision": "ALLOW_WITH_CAPS", "caps": caps}}


def milder(cast: Cast, tool: Tool) -> Body:
    return {"verb": "tool_version.add", "subject": {"tool": str(tool.pk)}, "values": {"effect": "read"}}


def price(cast: Cast, tool: Tool) -> Body:
    rates = {"input_usd_per_mtok": "1.5", "output_usd_per_mtok": "3"}
    return {"verb": "price.set", "subject": {"model": "m"}, "values": {"version": "v1", **rates}}


def rule(cast: Cast, tool: Tool) -> Body:
    subject = {"verb": "budget.set", "team": "support"}
    return {"verb": "rule.set", "subject": subject, "values": {"needs": "one"}}


def limits(cast: Cast, tool: Tool) -> Body:
    values = {"decision": "REQUIRE_APPROVAL", "caps": [{"per": "day", "count": 3}]}
    return {"verb": "user_terms.set", "subject": {"tool": str(tool.pk)}, "values": values}


def acting(cast: Cast, tool: Tool) -> Body:
    AgentIdentity.objects.filter(pk=cast.agent.pk).update(state="suspended")
    return {"verb": "agent.activate", "subject": {"agent": str(cast.agent.pk)}}


def owner(cast: Cast, tool: Tool) -> Body:
    return {"verb": "agent.hand_over", "subject": {"agent": str(cast.agent.pk)}, "values": {"owner": "fiona"}}


def trust(cast: Cast, tool: Tool) -> Body:
    """Trust an application that is not trusted now."""
    Application.objects.filter(pk=cast.application.pk).update(may_assert_users=False)
    subject = {"application": str(cast.application.pk)}
    return {"verb": "application.trust", "subject": subject, "values": {"may_assert_users": True}}


def belief(cast: Cast, tool: Tool) -> Body:
    """Let the application present tokens of another issuer."""
    values = {"issuer": "https://login.example", "audience": "shop"}
    return {"verb": "issuer.add", "subject": {"client": str(cast.application.pk)}, "values": values}


def publication(cast: Cast, tool: Tool) -> Body:
    if not cast.agent.versions.exists():
        AgentVersionFactory.create(identity=cast.agent)
    return {"verb": "agent_version.publish", "subject": {"agent": str(cast.agent.pk), "number": 1}}


LOOSEN_NOTHING = ("agent.activate", "agent_version.publish", "user_terms.set")  # as they are proposed here


def drafted(cast: Cast, tool: Tool) -> Body:
    """Return that a draft of a table is to decide."""
    table = DecisionTable.objects.first() or make_table(cast, by=cast.alice)
    save_table(actor=cast.alice, table=table, draft=TableDraft(eligibility(), CASES))
    subject = {"table": str(table.pk), "version": 1}
    return {
        "verb": "decision_table.publish", "subject": subject, "values": {"acknowledgement": "Meant so."},
        "reason": "Autumn.",
    }  # fmt: skip


def ruling(cast: Cast, tool: Tool) -> Body:
    """Let a stricter rule stand, and propose another in its place."""
    two = Ruling("Two", ({"needed": 2},))
    set_approval_rule(actor=cast.ada, team=cast.team, place=1, ruling=two)
    values = {"name": "One", "tool": str(tool.pk), "stages": [{"needed": 1}]}
    return {"verb": "approval_rule.set", "subject": {"team": "support", "place": 1}, "values": values}


def sampling(cast: Cast, tool: Tool) -> Body:
    """Let some be opened, where all have to be."""
    values = {"at_least": 5, "percent": 10}
    return {
        "verb": "sampling_rule.set", "subject": {"team": "support", "effect": "reversible"}, "values": values,
    }  # fmt: skip


def watching(cast: Cast, tool: Tool) -> Body:
    """Let a rule stand, and propose another in its place."""
    set_oversight_rule(actor=cast.ada, team=cast.team, oversight=Oversight(second_percent=20))
    values = {"most": 30, "within_s": 600, "pause_s": 900, "second_percent": 5}
    return {"verb": "oversight_rule.set", "subject": {"team": "support"}, "values": values}


def standing_in(cast: Cast, tool: Tool) -> Body:
    """Name a deputy for Fiona."""
    for person in (cast.fiona, cast.alice):
        assign_perm("approve_calls", person, tool)
    values = {
        "begins_at": NOW.isoformat(), "ends_at": (NOW + timedelta(days=5)).isoformat(), "reason": "She is ill.",
        "team": "support",
    }  # fmt: skip
    return {"verb": "absence.declare", "subject": {"absent": "fiona", "deputy": "alice"}, "values": values}


IN_FORCE: dict[str, tuple[Callable[[Cast, Tool], Body], Callable[[], object], object]] = {
    "approval_rule.set": (
        ruling, lambda: ApprovalRule.objects.standing().get().stages, [{"needed": 1, "group": None, "escalate": []}],
    ),
    "sampling_rule.set": (sampling, lambda: SamplingRule.objects.standing().get().at_least, 5),
    "oversight_rule.set": (watching, lambda: OversightRule.objects.standing().get().second_percent, 5),
    "absence.declare": (standing_in, lambda: Absence.objects.get().deputy.username, "alice"),
    "agent.activate": (acting, lambda: AgentIdentity.objects.get().state, "active"),
    "application.trust": (trust, lambda: Application.objects.get(slug="shop-app").may_assert_users, True),
    "issuer.add": (belief, lambda: TokenIssuer.objects.get().audience, "shop"),
    "agent.hand_over": (owner, lambda: AgentIdentity.objects.get().owner.username, "fiona"),
    "agent_version.publish": (publication, lambda: AgentVersion.objects.get().state, "published"),
    "user_terms.set": (limits, lambda: UserTerms.objects.get().caps, [{"per": "day", "count": 3}]),
    "budget.set": (lambda cast, tool: more_money("11.5"), lambda: str(Budget.objects.get().max_usd), "11.50000000"),
    "grant.set": (grant, lambda: ToolGrant.objects.get().caps, [{"per": "day", "count": 3}]),
    "price.set": (price, lambda: str(Price.objects.get(model="m").cache_write_usd_per_mtok), "1.500000"),
    "rule.set": (rule, lambda: ChangeRule.objects.get(team__slug="support").needs, "one"),
    "decision_table.publish": (drafted, lambda: DecisionTableVersion.objects.get().state, "published"),
    "tool_version.add": (milder, lambda: ToolVersion.objects.get(number=2).effect, "read"),
}  # fmt: skip


BY_HAND = {"grant.waive"}  # two people sign it by themselves


def test_every_governed_verb_may_be_proposed() -> None:
    """A waiver apart: it is proposed by whoever signs it first."""
    assert set(proposable_verbs()) == set(IN_FORCE) == {verb.name for verb in known_verbs()} - BY_HAND


@pytest.fixture
def priced(cast: Cast) -> None:
    PriceFactory.create(model="test-model")


@pytest.mark.parametrize("verb", IN_FORCE)
def test_what_is_proposed_is_what_is_activated(
    priced: None, governed: Cast, callers: Callers, budget: Budget, verb: str
) -> None:
    tool: Tool = ToolVersionFactory.create(tool__team=governed.team, effect="reversible").tool
    body, in_force, expected = IN_FORCE[verb]
    open_windows()
    User.objects.filter(pk=governed.bob.pk).update(
        is_superuser=True
    )  # what is nobody's team's takes two of them
    made = callers.ada.post("/proposals", body(governed, tool), key="k")
    assert (made.status, made.body["state"], made.body["verb"]) == (201, "waiting", verb)
    again = callers.ada.post("/proposals", body(governed, tool), key="another")
    assert again.headers["Location"] == made.headers["Location"]
    assert callers.ada.get(made.headers["Location"]).body["loosening"] != [] or verb in LOOSEN_NOTHING
    done = callers.bob.post(f"{made.headers['Location']}/activate", {}, key="k")
    assert done.body["state"] == "activated"
    assert in_force() == expected


def test_to_loosen_again_is_proposed_and_leads_there(
    governed: Cast, callers: Callers, waiting: ChangeProposal
) -> None:
    open_windows()
    tighter = proposed_by(governed.alice, "5")
    assert tell(callers.bob, tighter, "activate").status == 200
    back = tell(callers.alice, tighter, "roll-back")
    assert (back.status, back.body["done"]) == (201, False)
    shown = callers.bob.get(back.headers["Location"]).body
    assert (shown["rolls_back"], shown["state"], shown["reason"]) == (str(tighter.pk), "waiting", "Too much.")
    assert tell(callers.alice, waiting, "roll-back").code == "nothing_to_roll_back"


FAULTS: dict[str, tuple[Body, str]] = {
    "no verb": ({}, "#/verb"),
    "an unknown verb": ({"verb": "grant.waive"}, "#/verb"),
    "no subject": ({"verb": "budget.set", "values": {}}, "#/subject"),
    "an unknown value": (more_money(max_euros="1"), "#/values/max_euros"),
    "a number for money": (more_money(usd=30), "#/values/max_usd"),  # type: ignore[arg-type]  # on purpose
    "no amount": (more_money("NaN"), "#/values/max_usd"),
    "money below nothing": (more_money("-1"), "#/values/max_usd"),
    "a word that is none": ({**more_money(), "subject": {"team": "support", "window": "year"}}, "#/subject/window"),
    "too long a reason": ({**more_money(), "reason": "x" * 2_001}, "#/reason"),
    "an unknown member": ({**more_money(), "force": True}, "#/force"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "pointer"), FAULTS.values(), ids=FAULTS)
def test_a_malformed_proposal_is_refused(callers: Callers, body: Body, pointer: str) -> None:
    refused = callers.ada.post("/proposals", body)
    assert (refused.status, refused.code) == (422, "validation_failed")
    assert pointer in [reason["pointer"] for reason in refused.body["reasons"]]


def test_what_the_verb_refuses_is_refused_and_others_agents_do_not_exist(
    governed: Cast, callers: Callers, budget: Budget
) -> None:
    open_windows()
    elsewhere: Tool = ToolVersionFactory.create(tool__team=governed.other_team).tool
    none = {**more_money(), "values": {}}
    assert callers.alice.post("/proposals", none).code == "no_limit"
    assert callers.alice.post("/proposals", more_money("10")).code == "nothing_to_change"
    assert callers.alice.post("/proposals", grant(governed, elsewhere)).code == "unknown_tool"
    assert callers.charlie.post("/proposals", grant(governed, elsewhere)).code == "unknown_agent"
    assert callers.app.post("/proposals", grant(governed, elsewhere)).status in (403, 404)
    assert not ChangeProposal.objects.exists()


def test_lists_are_filtered_and_their_queries_do_not_grow(
    governed: Cast, callers: Callers, waiting: ChangeProposal
) -> None:
    def listed(query: str, caller: Caller = callers.bob) -> list[str]:
        return [row["id"] for row in caller.get(f"/proposals?{query}").body["data"]]

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            listed("limit=100")
        return len(queries)

    with_one = count()
    others = [proposed_by(governed.alice, usd) for usd in ("11", "12", "13")]
    assert count() == with_one
    open_windows()
    tell(callers.alice, others[0], "withdraw")
    assert listed("state=withdrawn") == [str(others[0].pk)]
    assert listed("state=waiting&limit=1") == [str(others[2].pk)]
    assert len(listed("verb=budget.set&team=support")) == 4
    assert listed("verb=grant.set") == listed("team=logistics") == []
    assert listed("", callers.charlie) == listed("", callers.app) == []
    assert callers.bob.get("/proposals?state=done").code == "invalid_parameter"
    assert PersonFactory.create().pk  # who belongs to no team and proposed nothing
