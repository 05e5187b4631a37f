"""What an approval is bound to, what two proposals of one effect have in common, and errors while deciding."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone
from guardian.shortcuts import assign_perm

from agentops.errors import ValidationFailed
from agentops.identifiers import new_id
from tests.cast import Cast
from tests.factories import AgentFactory, GrantFactory, ToolVersionFactory
from tests.rewriting import rewrite
from tests.tools.bending import bend_grant
from tests.tools.execution import NOBODY, make_call, make_spec
from tools import assessment
from tools.assessment import assess, digest_for_dedupe
from tools.authority import Standing
from tools.calls import Call
from tools.catalogue import read_spec
from tools.models import ToolGrant

Change = Callable[[Call], Call]
# How to take a member out of the digest: the function that lists it, the passage, and what stands there instead.
Member = tuple[str, str, str]

NOW = timezone.now()
LATER = datetime(2126, 11, 22, 12, tzinfo=UTC)
ARGUMENTS: dict[str, Any] = {
    "order_id": "A-1",
    "amount": "20.00",
    "to": {"iban": "DE89", "name": "Ann"},
    "lines": [{"sku": "x", "count": 3, "gift": True, "share": 0.5, "note": None}],
}


# --- what an approval is bound to -------------------------------------------------------------------------


@pytest.fixture
def call(transactional_db: None, cast: Cast) -> Call:
    """A call of a capped, irreversible tool that waits for a person: its waiver is signed for another version."""
    schema = {"type": "object"}
    version = ToolVersionFactory.create(tool__team=cast.team, irreversible=True, input_schema=schema)
    GrantFactory.create(
        identity=cast.agent, tool=version.tool, decision="ALLOW_WITH_CAPS", valid_until=LATER,
        caps=[{"per": "day", "count": 9, "amount": "900.00"}], waived_by=cast.ada, countersigned_by=cast.bob,
        waived_version_digest="e" * 64, waiver_reason="Small sums.", waiver_expires_at=LATER,
    )  # fmt: skip
    return make_call(read_spec(version.pk), ARGUMENTS, identity_id=cast.agent.pk)


def digest_assessed(call: Call) -> str:
    """Return what a person would sign for this call now."""
    assessed = assess(call, by=NOBODY, now=NOW)
    assert assessed.verdict == "REQUIRE_APPROVAL", assessed.detail
    return assessed.digest


def renamed(**names: Any) -> Change:
    return lambda call: replace(call, **names)


def argued(*path: str | int, to: object) -> Change:
    """Return a change of one leaf of the arguments."""

    def change(call: Call) -> Call:
        arguments = json.loads(json.dumps(call.arguments))
        place = arguments
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = to
        return replace(call, arguments=arguments)

    return change


def bent(**values: Any) -> Change:
    """Return a change of one term in place, as nobody may make it: the grant keeps its id and version."""

    def change(call: Call) -> Call:
        bend_grant(ToolGrant.objects.get(), **values)
        return call

    return change


def signed_by_another(column: str) -> Change:
    return lambda call: bent(**{column: ToolGrant.objects.get().identity.owner_id})(call)


def made_by_another_version(call: Call) -> Call:
    """Change nothing but the version; all else that it says is the same."""
    tool, schema = ToolGrant.objects.get().tool, call.spec.input_schema
    version = ToolVersionFactory.create(tool=tool, irreversible=True, input_schema=schema)
    return replace(call, spec=read_spec(version.pk))


def made_by_another_agent(call: Call) -> Call:
    """Let another agent have the very same grant."""
    grant = ToolGrant.objects.get()
    other = AgentFactory.create(team=grant.identity.team)
    bend_grant(grant, identity_id=other.pk)
    assign_perm("use_tool", other.service_account, grant.tool)
    return replace(call, identity_id=other.pk)


def caps(**changes: Any) -> list[dict[str, Any]]:
    return [{"per": "day", "count": 9, "amount": "900.00", **changes}]


IN_CALL, IN_TERMS, IN_CAPS = "_digest_call", "_list_terms", "_list_caps"
NO_ARGUMENTS: Member = (IN_CALL, '"arguments": call.arguments,', "")
BOUND: list[tuple[str, Change, Member]] = [
    ("tool version", made_by_another_version, (IN_CALL, '"tool_version": call.spec.digest,', "")),
    ("text", argued("order_id", to="A-2"), NO_ARGUMENTS),
    ("amount", argued("amount", to="20.01"), NO_ARGUMENTS),
    ("deep text", argued("to", "iban", to="DE88"), NO_ARGUMENTS),
    ("other deep text", argued("to", "name", to="Anm"), NO_ARGUMENTS),
    ("text in a list", argued("lines", 0, "sku", to="y"), NO_ARGUMENTS),
    ("number", argued("lines", 0, "count", to=4), NO_ARGUMENTS),
    ("number as text", argued("lines", 0, "count", to="3"), NO_ARGUMENTS),
    ("fraction", argued("lines", 0, "share", to=0.6), NO_ARGUMENTS),
    ("truth", argued("lines", 0, "gift", to=False), NO_ARGUMENTS),
    ("nothing", argued("lines", 0, "note", to=""), NO_ARGUMENTS),
    ("one more", argued("more", to=None), NO_ARGUMENTS),
    ("identity", made_by_another_agent, (IN_CALL, '"identity": text_of(call.identity_id),', "")),
    ("issuer", renamed(principal_issuer="https://login.exampld"), (IN_CALL, "call.principal_issuer", '""')),
    ("subject", renamed(principal_subject="anm"), (IN_CALL, "call.principal_subject", '""')),
    ("key", renamed(key="run-1:3:get_order:1"), (IN_CALL, '"key": call.key,', "")),
    ("grant", bent(id=new_id()), (IN_TERMS, '"grant": text_of(grant.id),', "")),
    ("grant version", bent(version=2), (IN_TERMS, '"version": grant.version,', "")),
    ("decision", bent(decision="REQUIRE_APPROVAL"), (IN_TERMS, '"decision": grant.decision,', "")),
    ("period of a cap", bent(caps=caps(per="hour")), (IN_CAPS, "cap.per, ", "")),
    ("count of a cap", bent(caps=caps(count=8)), (IN_CAPS, "cap.count, ", "")),
    ("amount of a cap", bent(caps=caps(amount="900.01")), (IN_CAPS, ", _text(cap.amount)", "")),
    ("over caps", bent(over_caps="REQUIRE_APPROVAL"), (IN_TERMS, '"over_caps": grant.over_caps,', "")),
    ("time to decide", bent(approval_ttl_s=601), (IN_TERMS, '"approval_ttl_s": grant.approval_ttl_s,', "")),
    (
        "window for a veto",
        bent(veto_s=60),
        (IN_TERMS, '**({"veto_s": grant.veto_s} if grant.veto_s else {}),', ""),
    ),
    (
        "end",
        bent(valid_until=LATER + timedelta(microseconds=1)),
        (IN_TERMS, '"valid_until": _text(grant.valid_until),', ""),
    ),
    ("signer", signed_by_another("waived_by_id"), (IN_TERMS, "*waiver.signers, ", "")),
    ("other signer", signed_by_another("countersigned_by_id"), (IN_TERMS, "*waiver.signers, ", "")),
    ("version signed", bent(waived_version_digest="d" * 64), (IN_TERMS, "waiver.tool_version, ", "")),
    (
        "end of the waiver",
        bent(waiver_expires_at=LATER + timedelta(microseconds=1)),
        (IN_TERMS, ", _text(waiver.expires_at)", ""),
    ),
]


@pytest.mark.parametrize(
    ("change", "member"), [each[1:] for each in BOUND], ids=[name.replace(" ", "-") for name, *_ in BOUND]
)
def test_an_approval_is_bound_to_each_member(
    call: Call, monkeypatch: pytest.MonkeyPatch, change: Change, member: Member
) -> None:
    """And the mutant, without this one member, takes the changed call for the one that was approved."""
    approved = digest_assessed(call)
    with monkeypatch.context() as patch:
        rewrite(patch, assessment, *member)
        approved_by_mutant = digest_assessed(call)
    changed = change(call)
    assert digest_assessed(changed) != approved
    rewrite(monkeypatch, assessment, *member)
    assert digest_assessed(changed) == approved_by_mutant


def test_the_order_of_names_is_no_part_of_it(call: Call) -> None:
    backwards = dict(reversed(ARGUMENTS.items()))
    backwards["to"] = {"name": "Ann", "iban": "DE89"}
    assert list(backwards) != list(ARGUMENTS)
    assert digest_assessed(replace(call, arguments=backwards)) == digest_assessed(call)


def mutate(text: str, chance: random.Random) -> str:
    """Change one byte."""
    place = chance.randrange(len(text))
    other = chance.choice([chr(code) for code in range(32, 127) if chr(code) != text[place]])
    return text[:place] + other + text[place + 1 :]


def mutate_call(call: Call, chance: random.Random) -> Call:
    """Change one byte of a text in the arguments, of the key, or of the principal."""
    places: list[tuple[str | int, ...]] = [("order_id",), ("amount",), ("to", "iban"), ("lines", 0, "sku")]
    which = chance.randrange(len(places) + 3)
    if which < len(places):
        text: Any = call.arguments
        for part in places[which]:
            text = text[part]
        return argued(*places[which], to=mutate(text, chance))(call)
    name = ("key", "principal_issuer", "principal_subject")[which - len(places)]
    return renamed(**{name: mutate(getattr(call, name), chance)})(call)


def test_no_call_that_is_one_byte_away_fits_an_approval() -> None:
    """What the gate compares, for 10,000 calls that nobody approved."""
    arguments, chance = {**ARGUMENTS, "lines": [{"sku": "x"}]}, random.Random(20261122)
    call = make_call(make_spec(effect="irreversible"), arguments)
    standing = Standing("active", None, True, None, "active", None, True)
    approved = assessment._digest_call(call, standing, NOBODY)
    digests = [assessment._digest_call(mutate_call(call, chance), standing, NOBODY) for _ in range(10_000)]
    assert digests.count(approved) == 0
    assert assessment._digest_call(replace(call), standing, NOBODY) == approved


# --- errors while deciding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [AttributeError, AssertionError, RecursionError, TypeError, psycopg.DataError]
)
def test_whatever_goes_wrong_while_deciding_is_a_denial(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise error("odd")

    monkeypatch.setattr(assessment, "decide", fail)
    refused = assess(call, by=NOBODY, now=NOW)
    assert (refused.verdict, refused.decision.code, refused.digest) == ("DENY", "policy_error", "")


def test_a_schema_that_cannot_be_compiled_is_a_denial(call: Call) -> None:
    tool = ToolGrant.objects.get().tool
    broken = ToolVersionFactory.create(tool=tool, irreversible=True, input_schema={"type": "nonsense"})
    refused = assess(replace(call, spec=read_spec(broken.pk)), by=NOBODY, now=NOW)
    assert (refused.verdict, refused.decision.code) == ("DENY", "policy_error")


def test_a_database_that_cannot_be_reached_is_no_denial(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise psycopg.OperationalError("the server has gone")

    monkeypatch.setattr(assessment, "read_standing", fail)
    with pytest.raises(psycopg.OperationalError):
        assess(call, by=NOBODY, now=NOW)


# --- what two proposals of the same effect have in common -------------------------------------------------


REFUND: dict[str, Any] = {
    "effect": "irreversible",
    "amount_argument": "amount",
    "dedupe_on": ("order_id", "amount"),
}


def digest_of(order_id: str, amount: object) -> str:
    return digest_for_dedupe(make_spec(**REFUND), {"order_id": order_id, "amount": amount})


@pytest.mark.parametrize("amount", ["0010.01", "10.0100", "10.01", " 10.01", 10.01])
def test_an_amount_is_the_same_however_it_is_written(amount: object) -> None:
    assert digest_of("A-1", amount) == digest_of("A-1", "10.01")


@pytest.mark.parametrize(("order_id", "amount"), [("A-1", "10.02"), ("A-1", "100.1"), ("A-01", "10.01")])
def test_another_effect_has_another_digest(order_id: str, amount: str) -> None:
    assert digest_of(order_id, amount) != digest_of("A-1", "10.01")


def test_large_and_whole_amounts_are_kept_apart() -> None:
    assert len({digest_of("A-1", amount) for amount in ("0", "1", "10", "100", "1000000")}) == 5


def test_amounts_deep_in_the_arguments_are_written_alike() -> None:
    spec = make_spec(effect="irreversible", amount_argument="parts.*.usd", dedupe_on=("parts",))
    one, other = ({"parts": [{"usd": usd, "to": "x"}, {"usd": "2"}]} for usd in ("01.50", "1.5"))
    assert digest_for_dedupe(spec, one) == digest_for_dedupe(spec, other)


def test_an_amount_that_is_none_has_no_digest() -> None:
    with pytest.raises(ValidationFailed):
        digest_of("A-1", "ten")
