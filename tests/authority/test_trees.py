"""Delegation trees: a child does what the strictest of all lets it, and never more than one of its parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewriting import rewrite
from tools import policy
from tools.authority import Ask, Bound, GrantTerms, Limits, Parent, Standing, WaiverTerms
from tools.caps import Cap, Whose, window_of
from tools.policy import decide

pytestmark = pytest.mark.authority

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOOL, VERSION, USER = "refund", "f" * 64, UUID(int=7)
RANK = {"ALLOW": 0, "REQUIRE_APPROVAL": 1, "DENY": 2}
DECISIONS = [*RANK, "ALLOW_WITH_CAPS"]

amounts = st.sampled_from([Decimal(1), Decimal(5), Decimal(20)])
caps = st.builds(
    Cap, st.sampled_from(["call", "run", "day"]), st.sampled_from([None, 1, 3]), st.none() | amounts
).filter(lambda cap: cap.amount is not None or (cap.count is not None and cap.per != "call"))
cap_lists = st.lists(caps, max_size=2).map(tuple)
overs = st.sampled_from(["DENY", "REQUIRE_APPROVAL"])
bounds = st.builds(Bound, st.sampled_from(DECISIONS), cap_lists, overs)
limits = st.none() | st.fixed_dictionaries({}, optional={TOOL: bounds, "another": bounds})
waivers = st.none() | st.builds(
    WaiverTerms,
    st.just(("ada", "bob")),
    st.sampled_from([VERSION, "e" * 64]),
    st.sampled_from([NOW, NOW + timedelta(1)]),
    st.booleans(),
)
grants = st.none() | st.builds(
    GrantTerms,
    st.just(UUID(int=9)),
    st.just(1),
    st.sampled_from(DECISIONS),
    cap_lists,
    overs,
    st.just(600),
    st.sampled_from([None, NOW, NOW + timedelta(1)]),
    waivers,
)
states = st.sampled_from(["active"] * 6 + ["suspended"])


@st.composite
def lines(draw: Any) -> tuple[Ask, Standing]:
    """A call of a run that acts on behalf of up to two others, with what has been used of everybody's caps."""
    parents = tuple(
        Parent(
            UUID(int=20 + place), UUID(int=10 + place), f"parent {place}", draw(states), None, True,
            draw(st.sampled_from([True] * 5 + [False])), draw(grants), draw(limits),
        )
        for place in range(draw(st.integers(0, 2)))
    )  # fmt: skip
    ask = Ask(
        UUID(int=1), TOOL, VERSION, draw(st.sampled_from(["reversible", "irreversible"])), draw(amounts), NOW,
        limits=draw(limits), principal_id=USER,
    )  # fmt: skip
    whose = [(ask.run_id, Whose()), (ask.run_id, Whose(user=USER))]
    whose += [(parent.run_id, Whose(agent=parent.identity_id)) for parent in parents]
    windows = [window_of(per, run, NOW, of) for run, of in whose for per in ("run", "day")]
    usage = st.tuples(st.integers(0, 3), amounts)
    standing = Standing(
        "active", None, True, True, "active", draw(grants), True,
        used={window: draw(usage) for window in windows if draw(st.booleans())},
        for_user=tuple(draw(st.lists(bounds, max_size=2))), parents=parents,
    )  # fmt: skip
    return ask, standing


def alone(ask: Ask, standing: Standing) -> list[str]:
    """Return what each source says of the call when it is asked by itself."""
    free = replace(standing, for_user=(), parents=())
    said = [decide(replace(ask, limits=None), free)]
    open_grant = GrantTerms(UUID(int=9), 1, "ALLOW", (), "DENY", 600, None, None)
    # By a source that is no grant only what it takes away is said: of a call that all others let go out.
    harmless = replace(ask, effect="reversible", limits=None)
    unbound = replace(free, grant=open_grant)
    said += [decide(harmless, replace(unbound, for_user=(bound,))) for bound in standing.for_user]
    said += [decide(replace(harmless, limits=ask.limits), unbound)]
    said += [decide(*as_if_its_own(ask, standing, parent)) for parent in standing.parents]
    return [decision.verdict for decision in said]


def as_if_its_own(ask: Ask, standing: Standing, parent: Parent) -> tuple[Ask, Standing]:
    """Return the call as the parent itself would make it, in its own run."""
    own = f"{parent.identity_id}/"
    used = {name.removeprefix(own): use for name, use in standing.used.items() if name.startswith(own)}
    itself = Standing(
        parent.identity_state, None, True, True, "active", parent.grant, parent.guarded, used=used
    )
    return replace(ask, run_id=parent.run_id, limits=parent.limits), itself


@given(lines())
def test_a_child_does_what_the_strictest_of_all_lets_it(call: tuple[Ask, Standing]) -> None:
    ask, standing = call
    assert RANK[decide(ask, standing).verdict] == max(RANK[verdict] for verdict in alone(ask, standing))


@given(lines())
def test_what_a_child_does_counts_for_each_of_its_parents(call: tuple[Ask, Standing]) -> None:
    ask, standing = call
    decision = decide(ask, standing)
    if decision.verdict == "DENY":
        assert decision.claims == ()
        return
    claimed = {claim.window for claim in decision.claims}
    for parent in standing.parents:
        own = {claim.window for claim in decide(*as_if_its_own(ask, standing, parent)).claims}
        assert {f"{parent.identity_id}/{window}" for window in own} <= claimed


@given(lines(), st.integers(0, 9))
def test_to_take_a_source_away_never_makes_it_stricter(call: tuple[Ask, Standing], place: int) -> None:
    ask, standing = call
    parents = standing.parents
    less = [
        (replace(ask, limits=None), standing),
        (ask, replace(standing, for_user=standing.for_user[1:])),
        (ask, replace(standing, parents=parents[:-1])),
        (ask, replace(standing, parents=parents[1:])),
    ][place % 4]
    assert RANK[decide(*less).verdict] <= RANK[decide(ask, standing).verdict]


@given(lines())
def test_every_source_that_there_is_has_its_reason(call: tuple[Ask, Standing]) -> None:
    """Up to the one that says no: what would have been said after it does not matter."""
    ask, standing = call
    decision = decide(ask, standing)
    told = {reason.source for reason in decision.reasons}
    there: set[str] = {"user", "agent", "tool"}
    there |= {"parent"} if standing.parents else set()
    there |= {"run"} if ask.limits is not None else set()
    assert told == there if decision.verdict != "DENY" else told <= there
    if decision.verdict == "DENY":
        assert decision.reasons[-1].code == decision.code


CHILD = Standing(
    "active",
    None,
    True,
    True,
    "active",
    GrantTerms(UUID(int=9), 1, "ALLOW", (), "DENY", 600, None, None),
    True,
)
ASK = Ask(UUID(int=1), TOOL, VERSION, "reversible", Decimal(5), NOW, principal_id=USER)
ASKS = replace(CHILD.grant, decision="REQUIRE_APPROVAL")  # type: ignore[type-var]  # it has one
CAPPED = replace(CHILD.grant, decision="ALLOW_WITH_CAPS", caps=(Cap("day", 1, None),))  # type: ignore[type-var]  # as above
PARENT = Parent(UUID(int=20), UUID(int=10), "Desk", "active", None, True, True, CHILD.grant)
USED_UP = {window_of("day", PARENT.run_id, NOW, Whose(agent=PARENT.identity_id)): (1, Decimal(0))}
NONE: Limits = {}


@pytest.mark.parametrize(
    ("name", "old", "new", "ask", "standing", "verdict"),
    [
        pytest.param(
            "_look", "for parent in standing.parents:", "for parent in ():",
            ASK, replace(CHILD, parents=(replace(PARENT, identity_state="suspended"),)), "DENY", id="standing",
        ),
        pytest.param(
            "_weigh", "for parent in standing.parents:", "for parent in ():",
            ASK, replace(CHILD, parents=(replace(PARENT, grant=ASKS),)), "REQUIRE_APPROVAL", id="terms",
        ),
        pytest.param(
            "_weigh_parent", "Whose(agent=parent.identity_id)", "OWN",
            ASK, replace(CHILD, parents=(replace(PARENT, grant=CAPPED),), used=USED_UP), "DENY", id="whose-caps",
        ),
        pytest.param(
            "_weigh_parent", "if parent.limits is not None:", "if False:",
            ASK, replace(CHILD, parents=(replace(PARENT, limits=NONE),)), "DENY", id="limits-of-a-parent",
        ),
        pytest.param(
            "_weigh", "if ask.limits is not None:", "if ask.limits:",
            replace(ASK, limits=NONE), CHILD, "DENY", id="limits-that-name-nothing",
        ),
        pytest.param(
            "_weigh", "for bound in standing.for_user:", "for bound in ():",
            ASK, replace(CHILD, for_user=(Bound("REQUIRE_APPROVAL"),)), "REQUIRE_APPROVAL", id="end-user",
        ),
        pytest.param(
            "_intersect", '"REQUIRE_APPROVAL"), answers[0])', '"DENY"), answers[0])',
            ASK, replace(CHILD, parents=(replace(PARENT, grant=ASKS),)), "REQUIRE_APPROVAL", id="strictest",
        ),
    ],
)  # fmt: skip
def test_without_looking_at_a_source_the_child_exceeds_it(
    monkeypatch: pytest.MonkeyPatch, name: str, old: str, new: str, ask: Ask, standing: Standing, verdict: str
) -> None:
    """The mutants: what each of these passages holds off."""
    assert decide(ask, standing).verdict == verdict
    rewrite(monkeypatch, policy, name, old, new)
    assert RANK[decide(ask, standing).verdict] < RANK[verdict]


def test_of_a_denial_nothing_is_reserved() -> None:
    sources: Sequence[Bound] = (Bound("ALLOW_WITH_CAPS", (Cap("day", 3, None),)), Bound("DENY"))
    assert decide(ASK, replace(CHILD, for_user=tuple(sources))).claims == ()
