from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.authority import Ask, Bound, Decision, GrantTerms, Parent, Standing, WaiverTerms
from tools.caps import Cap, CapClaim
from tools.policy import decide, find_veto_window

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
TOOL_VERSION = "f" * 64
ASK = Ask(UUID(int=1), "refund", TOOL_VERSION, "reversible", Decimal(5), NOW)
IRREVERSIBLE = replace(ASK, effect="irreversible")
GRANT = GrantTerms(UUID(int=2), 1, "ALLOW", (), "DENY", 600, None, None)
GOOD = Standing("active", None, True, True, "active", GRANT, True)
PARENT = Parent(UUID(int=3), UUID(int=4), "Desk", "active", None, True, True, GRANT)
DAILY = Cap("day", 10, Decimal(50))
WAIVER = WaiverTerms(("ada", "bob"), TOOL_VERSION, LATER, stands=True)
WAIVED: dict[str, Any] = {
    "waiver": WAIVER,
    "decision": "ALLOW_WITH_CAPS",
    "caps": (DAILY,),
}
DAY = "day:2026-11-22"


def granted(standing: Standing = GOOD, **terms: Any) -> Standing:
    assert standing.grant is not None
    return replace(standing, grant=replace(standing.grant, **terms))


def answer(standing: Standing, ask: Ask = ASK) -> tuple[str, str]:
    decision = decide(ask, standing)
    return decision.verdict, decision.code


# --- each condition by itself -----------------------------------------------------------------------------

# Taking any one of these away from a call that is allowed has to deny it.
TAKEN_AWAY: list[tuple[dict[str, Any], str]] = [
    ({"application_active": False}, "application_revoked"),
    ({"initiator_active": False}, "initiator_inactive"),
    ({"switch": "everything"}, "everything_stopped"),
    ({"switch": "principal"}, "principal_stopped"),
    ({"switch": "provider"}, "provider_stopped"),
    ({"switch": "credential"}, "credential_stopped"),
    ({"identity_state": "suspended"}, "identity_suspended"),
    ({"identity_state": "revoked"}, "identity_revoked"),
    ({"identity_state": "draft"}, "identity_draft"),
    ({"identity_state": "unknown"}, "identity_unknown"),
    ({"identity_expires_at": NOW}, "identity_expired"),
    ({"identity_expires_at": EARLIER}, "identity_expired"),
    ({"account_active": False}, "account_inactive"),
    ({"tool_state": "quarantined"}, "tool_quarantined"),
    ({"tool_state": "retired"}, "tool_retired"),
    ({"grant": None}, "no_grant"),
    ({"guarded": False}, "no_object_permission"),
    ({"grant": replace(GRANT, decision="DENY")}, "denied_by_grant"),
    ({"grant": replace(GRANT, valid_until=NOW)}, "grant_expired"),
    ({"grant": replace(GRANT, valid_until=EARLIER)}, "grant_expired"),
    ({"for_user": (Bound("DENY"),)}, "denied_by_user"),
    ({"parents": (replace(PARENT, identity_state="suspended"),)}, "parent_identity_suspended"),
    ({"parents": (replace(PARENT, identity_expires_at=NOW),)}, "parent_identity_expired"),
    ({"parents": (replace(PARENT, account_active=False),)}, "parent_account_inactive"),
    ({"parents": (replace(PARENT, guarded=False),)}, "parent_no_object_permission"),
    ({"parents": (replace(PARENT, grant=None),)}, "parent_no_grant"),
    ({"parents": (replace(PARENT, grant=replace(GRANT, decision="DENY")),)}, "parent_denied_by_grant"),
    ({"parents": (replace(PARENT, grant=replace(GRANT, valid_until=NOW)),)}, "parent_grant_expired"),
    ({"parents": (replace(PARENT, limits={}),)}, "denied_by_parent"),
    ({"parents": (PARENT, replace(PARENT, grant=None))}, "parent_no_grant"),
]


@pytest.mark.parametrize(("taken", "code"), TAKEN_AWAY)
def test_any_one_condition_taken_away_denies(taken: dict[str, Any], code: str) -> None:
    assert answer(GOOD) == ("ALLOW", "allowed")
    assert answer(replace(GOOD, **taken)) == ("DENY", code)


@pytest.mark.parametrize(("taken", "code"), TAKEN_AWAY)
def test_no_approval_or_waiver_makes_up_for_a_condition(taken: dict[str, Any], code: str) -> None:
    for standing in (granted(decision="REQUIRE_APPROVAL"), granted(**WAIVED)):
        kept = standing.grant
        assert kept is not None
        changes = dict(taken)
        if changes.get("grant") is not None:
            changed = changes["grant"]
            changes["grant"] = replace(
                kept,
                decision=changed.decision if changed.decision == "DENY" else kept.decision,
                valid_until=changed.valid_until,
            )
        assert answer(replace(standing, **changes), IRREVERSIBLE) == ("DENY", code)


def test_every_condition_of_a_standing_is_in_the_table() -> None:
    """Whoever adds a condition has to say here what its absence means. ``used`` is what caps are about."""
    named = {name for taken, _ in TAKEN_AWAY for name in taken}
    assert named == {field.name for field in fields(Standing)} - {"used"}


def test_nothing_known_is_a_denial() -> None:
    assert decide(ASK, Standing("unknown", None, False, None, "unknown", None, False)).verdict == "DENY"


def test_a_run_that_no_application_started_has_none_to_be_revoked() -> None:
    assert answer(replace(GOOD, application_active=None)) == ("ALLOW", "allowed")


def test_what_ends_later_still_holds() -> None:
    assert answer(granted(replace(GOOD, identity_expires_at=LATER), valid_until=LATER)) == (
        "ALLOW",
        "allowed",
    )


# --- terms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "used", "amount", "expected"),
    [
        ({"decision": "REQUIRE_APPROVAL"}, None, 5, ("REQUIRE_APPROVAL", "approval_required")),
        ({"caps": (Cap("call", None, Decimal(5)),)}, None, 5, ("ALLOW", "allowed")),
        ({"caps": (Cap("call", None, Decimal("4.99")),)}, None, 5, ("DENY", "cap_exceeded")),
        ({"caps": (Cap("call", None, Decimal(5)),)}, None, None, ("DENY", "cap_exceeded")),
        ({"caps": (Cap("day", None, Decimal(50)),)}, None, None, ("DENY", "cap_exceeded")),
        ({"caps": (DAILY,)}, (9, Decimal(45)), 5, ("ALLOW", "allowed")),
        ({"caps": (DAILY,)}, (10, Decimal(0)), 5, ("DENY", "cap_exceeded")),
        ({"caps": (DAILY,)}, (0, Decimal("45.01")), 5, ("DENY", "cap_exceeded")),
        ({"caps": (Cap("day", 0, None),)}, None, None, ("DENY", "cap_exceeded")),
        ({"caps": (Cap("day", 3, None), Cap("run", 1, None))}, (2, Decimal(0)), 5, ("ALLOW", "allowed")),
        (
            {"caps": (DAILY,), "over_caps": "REQUIRE_APPROVAL"},
            (10, Decimal(0)),
            5,
            ("REQUIRE_APPROVAL", "cap_exceeded"),
        ),
        (
            {"caps": (DAILY,), "decision": "REQUIRE_APPROVAL"},
            (10, Decimal(0)),
            5,
            ("DENY", "cap_exceeded"),
        ),
    ],
)
def test_terms(
    terms: dict[str, Any], used: tuple[int, Decimal] | None, amount: int | None, expected: tuple[str, str]
) -> None:
    standing = replace(granted(**{"decision": "ALLOW_WITH_CAPS", **terms}), used={DAY: used} if used else {})
    ask = replace(ASK, amount=None if amount is None else Decimal(amount))
    assert answer(standing, ask) == expected


def test_what_a_call_holds_of_a_cap_is_not_asked_of_it_again() -> None:
    standing = replace(
        granted(decision="ALLOW_WITH_CAPS", caps=(Cap("day", 1, None),)), used={DAY: (1, Decimal(0))}
    )
    assert answer(standing) == ("DENY", "cap_exceeded")
    holding = replace(ASK, held={DAY: Decimal(0)})
    assert answer(standing, holding) == ("ALLOW", "allowed")
    assert decide(holding, standing).claims == ()


def test_claims_are_what_has_to_be_reserved() -> None:
    caps = (
        Cap("call", None, Decimal(9)),
        Cap("day", 3, None),
        Cap("day", 5, Decimal(20)),
        Cap("run", 1, None),
    )
    claims = decide(ASK, granted(decision="ALLOW_WITH_CAPS", caps=caps)).claims
    assert [(claim.window, claim.count_limit, claim.amount_limit) for claim in claims] == [
        (DAY, 3, Decimal(20)),
        (f"run:{UUID(int=1)}", 1, None),
    ]
    assert {claim.amount for claim in claims} == {Decimal(5)}


def test_a_call_beyond_its_caps_claims_what_no_limit_refuses() -> None:
    caps = (Cap("call", None, Decimal(4)), DAILY, Cap("run", 1, None))
    beyond = granted(decision="ALLOW_WITH_CAPS", caps=caps, over_caps="REQUIRE_APPROVAL")
    assert decide(ASK, beyond).claims == (
        CapClaim(DAY, Decimal(5), None, None),
        CapClaim(f"run:{UUID(int=1)}", Decimal(5), None, None),
    )
    holding = replace(ASK, held={DAY: Decimal(5), f"run:{UUID(int=1)}": Decimal(5)})
    assert decide(holding, beyond).claims == ()
    assert decide(ASK, granted(beyond, over_caps="DENY")).claims == ()


# --- irreversible -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"decision": "ALLOW"}, ("REQUIRE_APPROVAL", "irreversible")),
        ({"decision": "ALLOW_WITH_CAPS", "caps": (DAILY,)}, ("REQUIRE_APPROVAL", "irreversible")),
        ({"decision": "REQUIRE_APPROVAL"}, ("REQUIRE_APPROVAL", "approval_required")),
        (WAIVED, ("ALLOW", "waived")),
        # A waiver has two people, one tool version, an end, and caps over time.
        ({**WAIVED, "waiver": None}, ("REQUIRE_APPROVAL", "irreversible")),
        ({**WAIVED, "waiver": replace(WAIVER, stands=False)}, ("REQUIRE_APPROVAL", "irreversible")),
        ({**WAIVED, "waiver": replace(WAIVER, tool_version="e" * 64)}, ("REQUIRE_APPROVAL", "irreversible")),
        ({**WAIVED, "waiver": replace(WAIVER, expires_at=NOW)}, ("REQUIRE_APPROVAL", "irreversible")),
        ({**WAIVED, "caps": ()}, ("REQUIRE_APPROVAL", "irreversible")),
        ({**WAIVED, "caps": (Cap("call", None, Decimal(9)),)}, ("REQUIRE_APPROVAL", "irreversible")),
        ({**WAIVED, "decision": "ALLOW"}, ("REQUIRE_APPROVAL", "irreversible")),
        ({**WAIVED, "caps": (Cap("day", 0, None),)}, ("DENY", "cap_exceeded")),
    ],
)
def test_an_irreversible_call_needs_a_person_or_a_standing_waiver(
    terms: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert answer(granted(**terms), IRREVERSIBLE) == expected


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"waiver": replace(WAIVER, stands=False)}, "account is closed"),
        ({"waiver": replace(WAIVER, tool_version="e" * 64)}, "another version of refund"),
        ({"waiver": replace(WAIVER, expires_at=NOW)}, "its time is up"),
        ({"caps": (Cap("call", None, Decimal(9)),)}, "no caps over time"),
    ],
)
def test_a_waiver_that_does_not_count_says_why(terms: dict[str, Any], words: str) -> None:
    *_, lapse, asks = decide(IRREVERSIBLE, granted(**{**WAIVED, **terms})).reasons
    assert (lapse.code, asks.code) == ("waiver_lapsed", "irreversible")
    assert words in lapse.detail


def test_a_retry_under_a_waiver_stays_waived() -> None:
    holding = replace(IRREVERSIBLE, held={DAY: Decimal(5)})
    assert answer(granted(**WAIVED), holding) == ("ALLOW", "waived")


# --- properties -------------------------------------------------------------------------------------------

moments = st.sampled_from([None, EARLIER, NOW, LATER])
caps = st.lists(
    st.builds(
        Cap,
        st.sampled_from(["call", "run", "hour", "day", "month"]),
        st.none() | st.integers(0, 3),
        st.none() | st.decimals("0", "9", places=2),
    ),
    max_size=3,
).map(tuple)
waivers = st.none() | st.builds(
    WaiverTerms,
    st.just(WAIVER.signers),
    st.sampled_from([TOOL_VERSION, "e" * 64]),
    st.sampled_from([EARLIER, NOW, LATER]),
    st.booleans(),
)
grants = st.none() | st.builds(
    GrantTerms,
    st.just(UUID(int=2)),
    st.integers(1, 3),
    st.sampled_from(["ALLOW", "ALLOW_WITH_CAPS", "REQUIRE_APPROVAL", "DENY"]),
    caps,
    st.sampled_from(["DENY", "REQUIRE_APPROVAL"]),
    st.just(600),
    moments,
    waivers,
)
standings = st.builds(
    Standing,
    st.sampled_from(["active", "active", "suspended", "revoked", "draft"]),
    moments,
    st.booleans(),
    st.none() | st.booleans(),
    st.sampled_from(["active", "active", "quarantined", "retired"]),
    grants,
    st.booleans(),
    st.dictionaries(st.just(DAY), st.tuples(st.integers(0, 4), st.decimals("0", "9", places=2))),
)
asks = st.builds(
    Ask,
    st.just(UUID(int=1)),
    st.just("refund"),
    st.just(TOOL_VERSION),
    st.sampled_from(["read", "reversible", "irreversible"]),
    st.none() | st.decimals("0", "9", places=2),
    st.just(NOW),
)
STRENGTH = {"DENY": 0, "REQUIRE_APPROVAL": 1, "ALLOW": 2}


def strength(decision: Decision) -> int:
    return STRENGTH[decision.verdict]


@given(asks, standings)
def test_whatever_is_not_denied_has_every_condition(ask: Ask, standing: Standing) -> None:
    if decide(ask, standing).verdict != "DENY":
        assert standing.identity_state == "active"
        assert standing.account_active
        assert standing.application_active is not False
        assert standing.tool_state == "active"
        assert standing.guarded
        assert standing.identity_expires_at in (None, LATER)
        assert standing.grant is not None
        assert standing.grant.decision != "DENY"
        assert standing.grant.valid_until in (None, LATER)


@given(asks, standings, st.sampled_from(TAKEN_AWAY))
def test_each_source_can_only_take_away(
    ask: Ask, standing: Standing, taken: tuple[dict[str, Any], str]
) -> None:
    worse = replace(standing, **taken[0])
    assert decide(ask, worse).verdict == "DENY"


@given(asks, standings, caps)
def test_another_cap_can_only_take_away(ask: Ask, standing: Standing, more: tuple[Cap, ...]) -> None:
    if standing.grant is None or standing.grant.waiver:  # a waiver needs caps: there the first one gives
        return
    tighter = granted(standing, caps=(*standing.grant.caps, *more))
    assert strength(decide(ask, tighter)) <= strength(decide(ask, standing))


@given(asks, standings)
def test_an_irreversible_call_is_never_let_through_without_two_people(ask: Ask, standing: Standing) -> None:
    decision = decide(replace(ask, effect="irreversible"), standing)
    if decision.verdict == "ALLOW":
        assert standing.grant is not None
        assert standing.grant.waiver == WAIVER
        assert decision.claims


@given(asks, standings)
def test_every_answer_gives_its_reasons(ask: Ask, standing: Standing) -> None:
    decision = decide(ask, standing)
    assert decision.reasons
    assert all(reason.code and reason.detail for reason in decision.reasons)
    if decision.verdict == "DENY":
        assert decision.reasons[-1].code == decision.code
    assert decide(ask, standing) == decision


# --- a window for a veto ----------------------------------------------------------------------------------


@given(
    own=st.integers(0, 9),
    above=st.lists(st.integers(0, 9), max_size=3),
    effect=st.sampled_from(["read", "reversible", "irreversible"]),
)
def test_a_call_with_an_effect_is_held_as_long_as_the_longest_window_of_all_grants(
    own: int, above: list[int], effect: str
) -> None:
    parents = tuple(replace(PARENT, grant=replace(GRANT, veto_s=each)) for each in above)
    standing = replace(granted(veto_s=own), parents=parents)
    assert find_veto_window(effect, standing) == (0 if effect == "read" else max(own, *above, 0))


def test_whoever_is_told_why_is_told_of_the_window() -> None:
    told = decide(ASK, granted(veto_s=60))
    assert (told.verdict, "held_for_veto" in {reason.code for reason in told.reasons}) == ("ALLOW", True)
    assert not find_veto_window("reversible", replace(GOOD, grant=None))
