"""Terms of a grant through the driver: those that nobody can read, and waivers that two people signed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from identities.models import User
from runs import turns
from runs.actions import proposals
from runs.models import Run
from tests.api.caller import caller_of
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import ToolVersionFactory
from tests.rewriting import rewrite, rewrite_appends, rewrite_text
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Mishap, busy, lose_reply
from tests.runs.test_driver import crash, drive_and_crash
from tests.tools.bending import bend_grant
from tools import standing, weighing
from tools.models import CapUsage, EffectRecord, ToolGrant, ToolVersion
from tools.services import Terms, Waiver, sign_waiver

CAPS: list[dict[str, Any]] = [{"per": "day", "count": 2}, {"per": "call", "amount": "50.00"}]
Mutant = Callable[[pytest.MonkeyPatch], None]
REFUND = ("refund", {**ORDER, "amount": "20.00"})


# --- terms that cannot be read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unreadable",
    [
        [{"per": "moon", "count": 1}],
        [{"per": "day", "count": "many"}],
        [{"per": "day", "count": 1.5}],
        [{"per": "day", "count": True}],
        [{"per": "day", "count": None}],
        [{"per": "day", "amount": "much"}],
        [{"per": "day", "amount": "NaN"}],
        [{"per": "call", "amount": "Infinity"}],
        [{"per": "day", "count": 1, "whose": "mine"}],
        [{"per": ["day"], "count": 1}],
        ["day"],
        [7],
        [],
        {},
        {"per": "day", "count": 1},
        "",
        "day",
        7,
    ],
    ids=str,
)
def test_a_grant_that_cannot_be_read_denies_and_the_run_goes_on(company: Company, unreadable: Any) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=unreadable)
    company.add_reads()
    run = company.run(proposes(("refund", ORDER), ("look_up", ORDER)), says("I cannot."))
    assert run.state == "completed"
    assert company.states(run) == [("refused", "policy_error"), ("succeeded", "ok")]
    assert company.world.attempts == ["look_up"]
    (told,) = [each for each in company.observations() if "error" in each]
    assert told == {"error": "policy_error", "detail": "the rules for this tool cannot be applied"}
    (refused,) = company.facts(run, "call.refused")
    assert (refused["decision"], refused["reasons"][-1]["code"]) == ("DENY", "policy_error")
    check_it_is_shown(company, run, "policy_error")


def check_it_is_shown(company: Company, run: Run, words: str) -> None:
    caller = caller_of(company.cast, company.cast.application.service_account)
    assert words in str(caller.get(f"/runs/{run.pk}/steps").body)
    assert caller.get(f"/runs/{run.pk}/trace").status == 200
    bob = sign_in(company.cast.bob)
    page = bob.get(page_of("runs_run", "change", run.pk))
    assert page.status_code == 200
    grant = ToolGrant.objects.get(tool__name="refund", state="active")
    assert bob.get(page_of("tools_toolgrant", "change", grant.pk)).status_code == 200
    alice = sign_in(company.cast.alice)
    assert alice.get(page_of("tools_toolgrant", "add"), {"from": str(grant.pk)}).status_code == 200


def test_a_retry_under_a_grant_that_broke_meanwhile_is_left_to_a_person(company: Company) -> None:
    company.add_tool(
        "refund", grant="ALLOW_WITH_CAPS", grant_caps=CAPS, amount_argument="amount", timeout_s=60
    )

    def break_and_lose(do: Any) -> Any:
        company.grant(company.versions[0].tool, "ALLOW_WITH_CAPS", caps=[{"per": "moon"}])
        return lose_reply(do)

    company.world.mishaps.extend([break_and_lose])
    run = company.run(proposes(REFUND), says("Done."))
    assert company.states(run) == [("parked", "policy_error")]
    assert (EffectRecord.objects.get().state, company.world.attempts) == ("unknown", ["refund"])


# --- waivers ----------------------------------------------------------------------------------------------


def add_waived_tool(company: Company) -> ToolVersion:
    """Add an irreversible tool that Ada and Bob let run without a human until tomorrow."""
    version = company.add_tool("refund", effect="irreversible", amount_argument="amount", grant=None)
    company.let_decide(version.tool)
    sign_waivers(company, version)
    return version


def sign_waivers(company: Company, version: ToolVersion) -> None:
    company.cast.bob.user_permissions.add(Permission.objects.get(codename="add_toolgrant"))
    terms = Terms("ALLOW_WITH_CAPS", caps=tuple(CAPS))
    waiver = Waiver("Small sums.", timezone.now() + timedelta(days=1))
    for signer in (company.cast.ada, company.cast.bob):
        sign_waiver(actor=signer, identity=company.cast.agent, tool=version.tool, terms=terms, waiver=waiver)


@pytest.fixture
def let_it_expire(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Provide what makes calls from now on be assessed as of the day after tomorrow."""
    later = timezone.now() + timedelta(days=2)
    return lambda: monkeypatch.setattr(proposals, "utc_now", lambda: later)


def test_while_a_waiver_stands_an_irreversible_call_needs_no_human(company: Company) -> None:
    add_waived_tool(company)
    run = company.run(proposes(REFUND), says("Done."))
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    (allowed,) = company.facts(run, "call.allowed")
    assert (allowed["decision"], allowed["reasons"][-1]["code"]) == ("ALLOW", "no_human_waiver")
    assert CapUsage.objects.get().used_count == 1
    check_it_is_shown(company, run, "no_human_waiver")
    page = text_of(sign_in(company.cast.bob).get(page_of("runs_run", "change", run.pk)))
    assert "no human: a waiver signed by two people stands" in page


def test_a_waiver_lets_no_more_through_than_its_caps(company: Company) -> None:
    add_waived_tool(company)
    much = ("refund", {"order_id": "A-0", "amount": "50.01"})
    some = [("refund", {"order_id": f"A-{number}", "amount": "50.00"}) for number in range(1, 4)]
    run = company.run(*(proposes(each) for each in (much, *some)), says("Done."))
    assert [code for _, code in company.states(run)] == ["cap_exceeded", "ok", "ok", "cap_exceeded"]
    assert len(company.world.effects) == 2


def test_an_expired_waiver_is_none(company: Company, let_it_expire: Callable[[], None]) -> None:
    add_waived_tool(company)
    let_it_expire()
    run = company.run(proposes(REFUND), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "waiting")
    assert company.world.attempts == []
    (gated,) = company.facts(run, "call.gated")
    assert gated["reasons"][-1]["code"] == "irreversible"
    company.decide()
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])


def test_a_waiver_covers_the_retries_of_its_call(company: Company) -> None:
    add_waived_tool(company)
    company.world.mishaps.extend([busy, busy])
    run = company.run(proposes(REFUND), says("Done."))
    assert (company.states(run), len(company.world.attempts)) == ([("succeeded", "ok")], 3)
    assert CapUsage.objects.get().used_count == 1


@pytest.mark.parametrize(("mishap", "state"), [(busy, "waiting"), (lose_reply, "parked")])
def test_a_waiver_that_expires_before_a_retry_does_not_cover_it(
    company: Company, let_it_expire: Callable[[], None], mishap: Mishap, state: str
) -> None:
    """What surely had no effect goes before people; what may have had one is settled by them."""
    add_waived_tool(company)

    def expire_and_fail(do: Any) -> Any:
        let_it_expire()
        return mishap(do)

    company.world.mishaps.extend([expire_and_fail])
    run = company.run(proposes(REFUND), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", state)
    assert company.world.attempts == ["refund"]


# --- a denial and a waiver ---------------------------------------------------------------------------------


def wait_for_people(company: Company) -> tuple[Run, ToolVersion]:
    """Return a run that waits for a person's word about a refund."""
    version = company.add_tool("refund", effect="irreversible", amount_argument="amount", grant="ALLOW")
    company.let_decide(version.tool)
    run = company.run(proposes(REFUND), says("I cannot."))
    assert company.states(run)[0][0] == "waiting"
    return run, version


def check_it_stays_denied(company: Company, run: Run) -> None:
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("refused", "denied_by_human")])
    assert company.world.attempts == []
    assert company.observations()[0]["error"] == "denied_by_human"


@pytest.mark.parametrize("waived", ["before the decision", "before the run hears of it"])
def test_a_persons_denial_stands_whatever_two_others_waive(company: Company, waived: str) -> None:
    run, version = wait_for_people(company)
    if waived == "before the decision":
        sign_waivers(company, version)
        company.decide("deny")
    else:
        company.decide("deny")
        sign_waivers(company, version)
    check_it_stays_denied(company, run)


@pytest.mark.parametrize("died", ["find_route", "_request"], ids=["before it was written", "after"])
def test_the_next_driver_hears_the_same_denial(
    company: Company, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    """The driver dies before, or right after, it has written the denial down; then a waiver is given."""
    run, version = wait_for_people(company)
    company.decide("deny")
    with monkeypatch.context() as patch:
        patch.setattr(turns, died, crash)
        drive_and_crash(company, run)
    assert ("approval.refused" in company.kinds(run)) is (died == "_request")
    sign_waivers(company, version)
    check_it_stays_denied(company, run)


def die_in_the_second_turn(patch: pytest.MonkeyPatch, name: str) -> None:
    """Let the driver die where the second turn comes to a function of ``turns``."""
    function, turn = getattr(turns, name), count(1)
    patch.setattr(turns, name, lambda *given: crash() if next(turn) == 2 else function(*given))


MUCH = ("refund", {**ORDER, "amount": "50.01"})


def test_what_the_policy_denied_under_a_waiver_stays_denied_without_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = add_waived_tool(company)
    company.play(proposes(MUCH), says("I cannot."))
    run = company.start()
    with monkeypatch.context() as patch:
        die_in_the_second_turn(patch, "_request")
        drive_and_crash(company, run)
    company.grant(version.tool, "REQUIRE_APPROVAL")
    run = company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("refused", "cap_exceeded")])


def test_a_denial_that_died_with_its_driver_is_decided_anew(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was written and nothing has happened: the same key is decided by the terms that stand now."""
    version = add_waived_tool(company)
    company.play(proposes(MUCH), proposes(MUCH), says("Done."))
    run = company.start()
    with monkeypatch.context() as patch:
        die_in_the_second_turn(patch, "find_route")
        drive_and_crash(company, run)
    assert "step.decided" not in company.kinds(run)
    company.grant(version.tool, "REQUIRE_APPROVAL")
    run = company.drive(run)
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "waiting")


def use_another_version(company: Company) -> None:
    """Have the agent use a version of the tool that came after the signatures."""
    refund = company.versions.pop()
    company.versions.append(
        ToolVersionFactory.create(tool=refund.tool, irreversible=True, adapter="python", config=refund.config)
    )


def close_the_account(company: Company) -> None:
    User.objects.filter(pk=company.cast.ada.pk).update(is_active=False)


def make_a_machine_of_a_signer(company: Company) -> None:
    User.objects.filter(pk=company.cast.bob.pk).update(kind="application", is_staff=False)


def write_a_row_alone(company: Company) -> None:
    """Put a waiver into the table that nobody signed."""
    names = (
        "caps",
        "waived_by",
        "countersigned_by",
        "waived_version_digest",
        "waiver_reason",
        "waiver_expires_at",
    )
    signed = ToolGrant.objects.get(state="active")
    company.grant(signed.tool, signed.decision, **{name: getattr(signed, name) for name in names})


def bend_the_version(company: Company) -> None:
    """Name, in the row, a version that was not signed."""
    use_another_version(company)
    bend_grant(ToolGrant.objects.get(state="active"), waived_version_digest=company.versions[0].digest)


def bend_the_first_signer(company: Company) -> None:
    bend_grant(ToolGrant.objects.get(state="active"), waived_by_id=company.cast.alice.pk)


def bend_the_second_signer(company: Company) -> None:
    bend_grant(ToolGrant.objects.get(state="active"), countersigned_by_id=company.cast.alice.pk)


def bend_the_caps(company: Company) -> None:
    bend_grant(ToolGrant.objects.get(state="active"), caps=[{"per": "day", "count": 3}])


def bend_the_end(company: Company) -> None:
    later = timezone.now() + timedelta(days=2)
    bend_grant(ToolGrant.objects.get(state="active"), waiver_expires_at=later)


def forget(*passages: str) -> Mutant:
    """Return a mutant that asks less of signatures."""

    def mutant(patch: pytest.MonkeyPatch) -> None:
        for passage in passages:
            rewrite_text(patch, standing, "_SIGNED", passage, "")

    return mutant


def forget_of_signers(passage: str) -> Mutant:
    """Return a mutant that asks less of the accounts of those who signed for the agent itself."""
    whole = "u.id IN (g.waived_by_id, g.countersigned_by_id)\n                AND u.is_active AND u.kind = 'person'"

    def mutant(patch: pytest.MonkeyPatch) -> None:
        rewrite_text(patch, standing, "_STANDING_OF_WRITE", whole, whole.replace(passage, ""))
        rewrite_appends(patch, whole, whole.replace(passage, ""))

    return mutant


def forget_the_version(patch: pytest.MonkeyPatch) -> None:
    rewrite(patch, weighing, "_find_lapse", "waiver.tool_version != ask.tool_version", "False")


LAPSES: list[tuple[Callable[[Company], None], Mutant]] = [
    (use_another_version, forget_the_version),
    (close_the_account, forget_of_signers("AND u.is_active ")),
    (make_a_machine_of_a_signer, forget_of_signers(" AND u.kind = 'person'")),
    (write_a_row_alone, forget("e.facts ->> 'grant' = g.id::text AND")),
    (bend_the_version, forget("AND e.facts -> 'waiver' ->> 'tool_version' = g.waived_version_digest")),
    (bend_the_caps, forget(" AND e.facts -> 'caps' = g.caps")),
    (bend_the_end, forget("AND (e.facts -> 'waiver' ->> 'expires_at')::timestamptz = g.waiver_expires_at")),
    (bend_the_first_signer, forget(" AND s.actor = g.waived_by_id")),
    (bend_the_second_signer, forget(" AND e.actor = g.countersigned_by_id")),
]
NAMES = [lapse.__name__ for lapse, _ in LAPSES]


@pytest.mark.parametrize("lapse", [lapse for lapse, _ in LAPSES], ids=NAMES)
def test_a_waiver_that_lapsed_leaves_the_call_to_a_person(
    company: Company, lapse: Callable[[Company], None]
) -> None:
    add_waived_tool(company)
    lapse(company)
    run = company.run(proposes(REFUND), says("Done."))
    assert (run.state, company.states(run)[0][0], company.world.attempts) == (
        "requires_action",
        "waiting",
        [],
    )
    (gated,) = company.facts(run, "call.gated")
    assert [reason["code"] for reason in gated["reasons"][-2:]] == ["waiver_lapsed", "irreversible"]


@pytest.mark.parametrize(("lapse", "mutant"), LAPSES, ids=NAMES)
def test_without_its_guard_a_lapsed_waiver_lets_the_call_through(
    company: Company, monkeypatch: pytest.MonkeyPatch, lapse: Callable[[Company], None], mutant: Mutant
) -> None:
    """The mutants."""
    add_waived_tool(company)
    lapse(company)
    mutant(monkeypatch)
    run = company.run(proposes(REFUND), says("Done."))
    assert company.states(run) == [("succeeded", "ok")]
