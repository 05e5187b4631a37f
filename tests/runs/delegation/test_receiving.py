"""A child takes its task by a token that was minted for it and for that call, once, and keeps a signed receipt."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from agentops.errors import PolicyDenied
from identities.models import AgentIdentity, SigningKey, UsedIdentifier
from identities.oauth.compact import TokenRefused
from identities.oauth.receipts import digest_receipt, read_receipt
from identities.oauth.receiving import Received
from identities.oauth.signing_keys import keeper
from identities.oauth.tokens import AccessToken, read_token, sign_token
from identities.services import revoke_agent
from identities.services.signing_keys import ensure_signing_key
from runs.delegation import calling, hops, receiving
from runs.delegation.hops import find_hops
from runs.delegation.receiving import Brought, find_receipt, take_task
from runs.models import Run
from tests.runs.bent_tokens import BENT, bend
from tests.runs.company import Company, proposes, says
from tests.runs.delegation.conftest import House
from tests.runs.delegation.test_bounds import ASK, COLOURS, chain, step
from tools.calls import Call
from tools.credentials import inside

pytestmark = pytest.mark.tokens


def minted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the tokens that callers mint."""
    seen: list[str] = []
    mint = calling._mint

    def note(call: Call) -> str:
        seen.append(mint(call) or "")
        return seen[-1]

    monkeypatch.setattr(calling, "_mint", note)
    return seen


def hop_of(company: Company, child: Run) -> dict[str, str]:
    (started,) = company.facts(child, "run.started")
    hop: dict[str, str] = started["hop"]
    return hop


def test_a_task_comes_with_a_token_for_its_agent_and_call(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = minted(monkeypatch)
    run = house.ask(ASK)
    (token,) = map(read_token, tokens)
    (child,) = house.children(run)
    caller = run.identity.service_account.username
    assert (token.audience, token.client_id) == (child.identity.service_account.username, caller)
    assert (token.act, token.run) == ({"sub": caller}, run.pk)
    assert (token.subject, token.principal_issuer) == (run.principal.subject, run.principal.issuer)
    assert token.details[0]["identifier"] == f"{run.pk}:1:ask_researcher:1"
    assert token.lives_s <= 60


def test_each_hop_is_kept_signed_and_bound_to_the_one_before(company: Company) -> None:
    house = chain(company, "a", "b")
    run = company.start()
    first = step(house, run, "a", "part a")
    second = step(house, first, "b", "part b")
    receipts = [hop_of(company, each)["receipt"] for each in (first, second)]
    told = [read_receipt(each) for each in receipts]
    assert [each["parent_sha256"] for each in told] == [None, digest_receipt(receipts[0])]
    assert [each["run"] for each in told] == [str(run.pk), str(first.pk)]
    accounts = [each.identity.service_account.username for each in (first, run)]
    assert told[1]["act"] == {"sub": accounts[0], "act": {"sub": accounts[1]}}
    assert find_receipt(run.pk) == ""
    assert [(hop.run, hop.parent, hop.fault) for hop in find_hops(second)] == [
        (second.pk, first.pk, ""),
        (first.pk, run.pk, ""),
    ]
    call_command("hops", str(second.pk), stdout=(out := StringIO()))
    assert out.getvalue().endswith("2 hops, all signed\n")


def test_a_hop_that_does_not_hold_is_named(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    house = chain(company, "a", "b")
    run = company.start()
    first = step(house, run, "a", "part a")
    second = step(house, first, "b", "part b")
    spliced = {second.pk: find_receipt(first.pk)}
    find = find_receipt
    monkeypatch.setattr(hops, "find_receipt", lambda run: spliced.get(run) or find(run))
    assert [hop.fault for hop in find_hops(second)] == [
        "it is about another actor, audience, run, parent_sha256",
        "",
    ]
    SigningKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    with pytest.raises(CommandError, match="2 of 2 hops do not hold"):
        call_command("hops", str(second.pk), stdout=StringIO())


def test_the_record_has_no_token_and_nothing_personal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = minted(monkeypatch)
    run = house.ask(ASK)
    (child,) = house.children(run)
    kept = str([house.company.entries(each) for each in (run, child)])
    assert tokens[0].rpartition(".")[2] not in kept
    said = str(read_receipt(hop_of(house.company, child)["receipt"]))
    assert run.principal.subject not in said
    assert "colours" not in said


def test_a_receipt_outlives_its_key_but_not_the_keys_revocation(house: House) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    receipt = hop_of(house.company, child)["receipt"]
    SigningKey.objects.update(signs_from="2020-01-01T00:00:00Z")
    assert read_receipt(receipt)["jti"] == hop_of(house.company, child)["jti"]
    SigningKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    with pytest.raises(TokenRefused, match="unknown_key"):
        read_receipt(receipt)


@pytest.mark.parametrize("kind", ["a key that cannot be unsealed", "no key at all"])
def test_without_a_signature_nothing_is_handed_on_and_the_caller_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "no key at all":
        monkeypatch.setattr(inside, "ensure_signing_key", lambda: None)
    else:
        ensure_signing_key()
        SigningKey.objects.update(sealed_private_jwk="first.broken")
    keeper.forget()
    house.company.play(proposes(ASK), says("Well."))
    run = house.company.drive(house.company.start())
    assert (run.state, house.children(run)) == ("completed", [])
    assert house.company.states(run) == [("refused", "token_unavailable")]


def test_an_installations_first_token_makes_its_key(house: House) -> None:
    assert not SigningKey.objects.exists()
    run = house.ask(ASK)
    assert (len(house.children(run)), SigningKey.objects.count()) == (1, 1)


# --- what is refused ----------------------------------------------------------------------------------------


def ask_bent(house: House, monkeypatch: pytest.MonkeyPatch, how: str) -> Run:
    mint = calling._mint
    monkeypatch.setattr(calling, "_mint", lambda call: bend(mint(call) or "", how))
    house.company.play(proposes(ASK), says("Well."))
    return house.company.drive(house.company.start())


@pytest.mark.parametrize("how", BENT)
def test_no_other_token_starts_a_child(house: House, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    run = ask_bent(house, monkeypatch, how)
    assert (house.company.states(run), house.children(run)) == ([("refused", "hop_refused")], [])
    assert run.state == "completed", "its caller goes on"
    told = house.company.content(run, "call.refused")["detail"]
    assert told.endswith(f": {BENT[how][1]}")


@pytest.mark.parametrize("how", ["another audience", "other arguments", "another user", "expired"])
def test_without_the_check_any_token_would_do(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The mutant: the child believes whoever hands it a token, for the agent that calls is itself."""

    def believe(text: str, call: Received) -> AccessToken:
        return read_token(minted_well[-1])

    minted_well = minted(monkeypatch)
    monkeypatch.setattr(receiving, "receive", believe)
    run = ask_bent(house, monkeypatch, how)
    assert len(house.children(run)) == 1


def brought_by(house: House, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, AgentIdentity, Brought]:
    """Return a run, its child's agent, and what a call of the run brings that has not arrived yet."""
    tokens = minted(monkeypatch)
    run = house.ask(ASK)
    fresh = sign_token(replace(read_token(tokens[-1]), jti=uuid4().hex))
    key = f"{run.pk}:1:ask_researcher:1"
    return run, house.workers["researcher"], Brought(fresh, "ask_researcher", key)


def test_a_token_is_taken_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run, agent, brought = brought_by(house, monkeypatch)
    taken = take_task(run, agent, brought, COLOURS)
    assert taken["jti"] == read_token(brought.token).jti
    with pytest.raises(PolicyDenied, match="used"):
        take_task(run, agent, brought, COLOURS)


def test_a_revoked_caller_gives_no_tasks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run, agent, brought = brought_by(house, monkeypatch)
    revoke_agent(actor=house.company.cast.alice, agent=house.company.cast.agent)
    with pytest.raises(PolicyDenied, match="client_closed"):
        take_task(run, agent, brought, COLOURS)


def test_nor_does_who_acts_for_one_that_was_revoked(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, tokens = chain(company, "a", "b"), minted(monkeypatch)
    run = company.start()
    first = step(house, run, "a", "part a")
    step(house, first, "b", "part b")
    fresh = sign_token(replace(read_token(tokens[-1]), jti=uuid4().hex))
    revoke_agent(actor=company.cast.alice, agent=company.cast.agent)
    brought = Brought(fresh, "ask_b", f"{first.pk}:1:ask_b:1")
    with pytest.raises(PolicyDenied, match="actor_closed"):
        take_task(first, house.workers["b"], brought, {"topic": "part b"})


@pytest.mark.parametrize("by", ["another agent of the team", "nobody before it"])
def test_who_calls_is_the_agent_of_that_run(
    company: Company, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    house, tokens = chain(company, "a", "b"), minted(monkeypatch)
    run = company.start()
    first = step(house, run, "a", "part a")
    step(house, first, "b", "part b")
    token = read_token(tokens[-1])
    other = house.workers["b"].service_account
    changed = (
        replace(token, client_id=other.username, epoch=other.token_epoch)
        if by == "another agent of the team"
        else replace(token, act={"sub": token.client_id})
    )
    brought = Brought(sign_token(replace(changed, jti=uuid4().hex)), "ask_b", f"{first.pk}:1:ask_b:1")
    with pytest.raises(PolicyDenied, match="caller"):
        take_task(first, house.workers["b"], brought, {"topic": "part b"})


def test_an_attempt_that_is_undone_has_used_no_token(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a driver that comes after finds the call to be made, or its one child: never a second life."""
    noted, times = calling._note_child, [0]

    def fall_once(*args: Any) -> None:
        times[0] += 1
        if times[0] == 1:
            raise RuntimeError("the database went away")
        noted(*args)

    monkeypatch.setattr(calling, "_note_child", fall_once)
    house.company.expects_fault = True
    house.company.play(proposes(ASK))
    run = house.company.start()
    house.company.drive(run)
    assert (house.children(run), UsedIdentifier.objects.count()) == ([], 0)
    Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")
    house.company.drive(run)
    (child,) = house.children(run)
    assert UsedIdentifier.objects.count() == 1
    house.company.drive(run)
    assert house.children(run) == [child]
