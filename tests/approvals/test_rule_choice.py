"""Rules by tool, effect, agent, amount and doubt together with what they ask, against a model in plain Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone
from guardian.shortcuts import assign_perm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops.errors import AgentOpsError
from approvals import rules, services
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalRequest, ApprovalStage
from approvals.services import Subject, read_evidence, request_approval
from identities.models import AgentIdentity
from tests.approvals.rule_model import AGENTS, TOOLS, Call, Press, Rule, answer, choose
from tests.cast import Cast
from tests.factories import AgentFactory, ToolVersionFactory
from tests.factories.identities import PrincipalFactory
from tests.rewriting import rewrite
from tests.tools.execution import NOBODY, make_call, make_spec
from tools.assessment import Assessment, assess
from tools.authority import GrantTerms, Reason, Standing
from tools.models import ToolVersion
from tools.standing import Answer

pytestmark = [pytest.mark.django_db, pytest.mark.approvals]

EFFECTS, CURRENCIES = ("reversible", "irreversible"), ("USD", "EUR")
AMOUNTS = ("0.01", "49.99", "50.00", "50.01", "1000.00")
TERMS = GrantTerms(
    UUID(int=11), 3, "REQUIRE_APPROVAL", (), "DENY", 600, datetime(2100, 1, 1, tzinfo=UTC), None, None, 0
)
EVERY = Rule()

rule = st.builds(
    Rule,
    tool=st.sampled_from([None, None, 0, 1]),
    effect=st.sampled_from(["", "", *EFFECTS]),
    agent=st.sampled_from([None, None, 0, 1]),
    least=st.none() | st.tuples(st.sampled_from(AMOUNTS), st.sampled_from(CURRENCIES)),
    doubtful=st.booleans(),
    factor=st.sampled_from(["any", "key"]),
    reason=st.booleans(),
    needed=st.integers(1, 2),
)
call = st.builds(
    Call,
    tool=st.sampled_from([0, 1]),
    effect=st.sampled_from(EFFECTS),
    agent=st.sampled_from([0, 1]),
    amount=st.none() | st.sampled_from(AMOUNTS),
    currency=st.sampled_from(CURRENCIES),
    doubt=st.booleans(),
)
press = st.builds(
    Press, says_why=st.booleans(), second_factor=st.sampled_from([True, True, False]), signs=st.booleans()
)


@dataclass
class Desk:
    """Two tools, two agents, and Fiona, who may approve."""

    cast: Cast
    versions: list[ToolVersion]
    agents: list[AgentIdentity]
    subject: Subject

    def write(self, place: int, told: Rule) -> None:
        least, currency = told.least or (None, "")
        ruling = Ruling(
            f"Rule {place}", ({"needed": told.needed},), effect=told.effect, doubtful=told.doubtful,
            tool=None if told.tool is None else self.versions[told.tool].tool_id,
            identity=None if told.agent is None else self.agents[told.agent].pk,
            min_amount=None if least is None else Decimal(least), currency=currency,
            reason_required=told.reason, factor=told.factor,
        )  # fmt: skip
        set_approval_rule(actor=self.cast.ada, team=self.cast.team, place=place, ruling=ruling)

    def ask(self, told: Call) -> ApprovalRequest:
        return request_approval(
            assessment=self._assess(told),
            subject=self.subject,
            evidence={"statement": "Pay."},
            now=timezone.now(),
        )

    def _assess(self, told: Call) -> Assessment:
        version = self.versions[told.tool]
        spec = make_spec(
            id=version.pk, tool_id=version.tool_id, name=version.tool.name, effect=told.effect,
            amount_argument="" if told.amount is None else "amount", currency=told.currency,
        )  # fmt: skip
        arguments = {} if told.amount is None else {"amount": told.amount}
        made = assess(
            make_call(spec, arguments, identity_id=self.agents[told.agent].pk), by=NOBODY, now=timezone.now(),
            known=Answer(Standing("active", None, True, None, "active", TERMS, True), forced_open=False),
        )  # fmt: skip
        # Why it is doubtful is policy's own affair.
        doubts = (Reason("tool", "from_untrusted", "a stranger's"),) if told.doubt else ()
        reasons = (*made.decision.reasons, *doubts)
        return replace(made, decision=replace(made.decision, reasons=reasons))


@pytest.fixture
def desk(cast: Cast) -> Desk:
    made = [ToolVersionFactory.create(tool__team=cast.team, tool__name=name) for name in TOOLS]
    for version in made:
        assign_perm("approve_calls", cast.fiona, version.tool)
    agents = [AgentFactory.create(team=cast.team, name=name, slug=name.lower()) for name in AGENTS]
    principal = PrincipalFactory.create(team=cast.team)
    subject = Subject("run-1", "runs.wake", cast.team.pk, principal.pk, None, None)
    return Desk(cast, made, agents, subject)


@contextmanager
def undone() -> Iterator[None]:
    """Leave nothing of an example to the next one."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def say(desk: Desk, request: ApprovalRequest, told: Press) -> str:
    """Press as Fiona does; return how the request stands, or why it is no yes."""
    try:
        with transaction.atomic():
            done = services.decide(
                actor=desk.cast.fiona, request=request, verdict="approve", reason="Seen." if told.says_why else " ",
                digest=request.digest, channel="console", second_factor=told.second_factor,
                signature={"key": "hers"} if told.signs else None,
            )  # fmt: skip
    except AgentOpsError as refused:
        return refused.code
    return str(done.state)


def play(desk: Desk, listed: Sequence[Rule], asked: Call, pressed: Press) -> None:
    """Ask about a call under rules, and compare what is asked of people, why, and what a yes comes to."""
    with undone():
        for number, told in enumerate(listed, start=1):
            desk.write(number, told)
        request = desk.ask(asked)
        chosen = choose(listed, asked)
        counts = listed[chosen - 1] if chosen else EVERY
        assert (request.rule.place if request.rule else None) == chosen
        said = (read_evidence(request) or {}).get("rule")
        assert said == (f"rule {chosen}, Rule {chosen}: {counts.words}" if chosen else None)
        assert (request.factor, request.reason_required) == (counts.factor, counts.reason)
        needed = ApprovalStage.objects.filter(request=request).values_list("needed", flat=True)
        assert list(needed) == [counts.needed]
        assert say(desk, request, pressed) == answer(counts, pressed)


EVERYTHING: dict[str, Any] = {"listed": st.lists(rule, max_size=5), "asked": call, "pressed": press}
SETTINGS = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=5,
    derandomize=True,
)


@SETTINGS
@given(**EVERYTHING)
def test_the_first_rule_that_fits_says_what_it_takes_and_why(desk: Desk, **drawn: Any) -> None:
    play(desk, **drawn)


@pytest.mark.slow
@settings(SETTINGS, max_examples=250)
@given(**EVERYTHING)
def test_it_does_so_in_many_more(desk: Desk, **drawn: Any) -> None:
    play(desk, **drawn)


# A call that each of these rules is about, a yes that each lets pass, and what takes it apart.
CALL = Call(tool=0, effect="irreversible", agent=0, amount="50.00", currency="USD", doubt=True)
YES = Press(says_why=True, second_factor=True, signs=True)
STRICT = Rule(factor="key", reason=True, needed=2)
MUTANTS: dict[str, tuple[Any, str, str, str, Rule, Call, Press]] = {
    "tool": (rules, "fits", "rule.tool_id in (None, asked.tool_id)", "True", Rule(tool=1), CALL, YES),
    "effect": (rules, "fits", 'rule.effect in ("", asked.effect)', "True", Rule(effect="reversible"), CALL, YES),
    "agent": (rules, "fits", "rule.identity_id in (None, asked.identity_id)", "True", Rule(agent=1), CALL, YES),
    "amount": (rules, "_is_enough", "asked.amount >= least", "True", Rule(least=("50.01", "USD")), CALL, YES),
    "just as much": (rules, "_is_enough", ">= least", "> least", Rule(least=("50.00", "USD")), CALL, YES),
    "currency": (
        rules, "_is_enough", "asked.currency.casefold() == rule.currency.casefold()", "True",
        Rule(least=("50.00", "EUR")), CALL, YES,
    ),
    "no amount": (
        rules, "fits", "_is_enough(rule, asked)", "(asked.amount is None or _is_enough(rule, asked))",
        Rule(least=("50.00", "USD")), replace(CALL, amount=None), YES,
    ),
    "doubt": (
        rules, "fits", "asked.is_doubtful or not rule.doubtful", "True", Rule(doubtful=True),
        replace(CALL, doubt=False), YES,
    ),
    "order": (rules, "find_rule", "key=lambda rule: rule.place", "key=lambda rule: -rule.place", EVERY, CALL, YES),
    "the words": (rules, "tell", "tell_conditions(rule)", "''", STRICT, CALL, YES),
    "a reason": (services, "decide", "locked.reason_required and", "False and", STRICT, CALL,
                 replace(YES, says_why=False)),
    "the factor": (
        services, "_write_request", "rule.factor if rule is not None else Factor.ANY", "Factor.ANY", STRICT, CALL,
        replace(YES, signs=False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_each_part_taken_away_is_noticed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mutant: tuple[Any, str, str, str, Rule, Call, Press]
) -> None:
    module, name, old, new, told, asked, pressed = mutant
    play(desk, [told, STRICT], asked, pressed)
    rewritten = rewrite(monkeypatch, module, name, old, new)
    if name in ("find_rule", "tell"):  # the service has its own hold on them
        monkeypatch.setattr(services, name, rewritten)
    with pytest.raises(AssertionError):
        play(desk, [told, STRICT], asked, pressed)
