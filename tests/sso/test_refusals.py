"""What is wrong in a provider's answer signs nobody in, makes no account, and is on the record by its reason."""

from __future__ import annotations

import time

import pytest
from django.test import Client
from pytest_django import Settings

from agentops.api.limits import count_request, read_policy
from identities.models import ProviderAccount, RefusedSignIns, User
from identities.signins import STRANGERS, tell_refusals
from identities.sso import ceremony
from tests.console.visits import ELSEWHERE, Page, text_of
from tests.identities.test_signins import later
from tests.ledger import entries_of, last_entry
from tests.sso.bad_answers import TABLE, BadAnswer
from tests.sso.conftest import Visitor, paula
from tests.sso.provider import SECRET_WORDS, IdentityProvider

pytestmark = [pytest.mark.console, pytest.mark.slow]


def reasons() -> list[str]:
    """Return why sign-ons were refused that proved nobody known."""
    entries = entries_of(STRANGERS)
    assert all((entry.kind, entry.actor) == ("sign_on.refused", None) for entry in entries)
    return [entry.facts["reason"] for entry in entries]


def check_refused(visitor: Visitor, answer: Page) -> None:
    body = answer.content.decode()
    assert (answer.status_code, "You were not signed in" in body) == (403, True)
    assert not any(words in body for words in ("Traceback", SECRET_WORDS, "paula"))
    assert "no-store" in answer["Cache-Control"]
    assert not visitor.is_known()


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_it_is_refused_and_on_the_record(
    visitor: Visitor, provider: IdentityProvider, case: BadAnswer
) -> None:
    case.spoil(provider)
    check_refused(visitor, visitor.sign_on())
    assert reasons() == [case.reason]
    assert not User.objects.exists()
    assert "paula" not in str(entries_of(STRANGERS))


@pytest.mark.parametrize("wrong", ["iss", "aud", "nonce", "groups"])
def test_it_changes_nothing_for_who_is_known(
    visitor: Visitor, provider: IdentityProvider, wrong: str
) -> None:
    visitor.sign_on()
    before = entries_of(paula().pk)
    provider.claims |= {wrong: "something else"}
    check_refused(again := Visitor(), again.sign_on())
    assert paula().groups.get().name == "operator"
    told = entries_of(paula().pk)[len(before) :]
    assert [entry.facts["reason"] for entry in told] == (["malformed_groups"] if wrong == "groups" else [])


class TestAnswers:
    """What comes back with the browser."""

    def test_one_is_taken_once(self, visitor: Visitor) -> None:
        address = visitor.go()
        assert visitor.client.get(address).status_code == 302
        visitor.client.logout()
        check_refused(visitor, visitor.client.get(address))
        assert reasons() == ["state"]

    def test_of_two_at_once_one_is_taken(self, visitor: Visitor) -> None:
        """Both read the session before either has written it."""
        address = visitor.go()
        session = visitor.client.session
        kept = session[ceremony.KEY]
        visitor.client.get(address)
        late = Visitor()
        session = late.client.session
        session[ceremony.KEY] = kept
        session.save()
        late.client.cookies["sessionid"] = str(session.session_key)
        check_refused(late, late.client.get(address))
        assert reasons() == ["state"]

    def test_another_browsers_is_not_taken(self, visitor: Visitor) -> None:
        other = Visitor()
        other.go()
        check_refused(other, other.client.get(visitor.go()))
        assert reasons() == ["state"]

    def test_a_code_is_redeemed_once(self, visitor: Visitor) -> None:
        address = visitor.go()
        visitor.client.get(address)
        again = Visitor()
        code = address.partition("code=")[2].partition("&")[0]
        state = again.go().partition("state=")[2]
        check_refused(again, again.client.get(f"/sso/callback?code={code}&state={state}"))
        assert reasons() == ["code_refused"]

    def test_one_that_is_late_is_not_taken(self, visitor: Visitor) -> None:
        address = visitor.go()
        session = visitor.client.session
        session[ceremony.KEY] = {**session[ceremony.KEY], "until": int(time.time()) - 1}
        session.save()
        check_refused(visitor, visitor.client.get(address))
        assert reasons() == ["state"]

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            ({"state": "x" * 43}, "state"),
            ({"state": ""}, "state"),
            ({"code": ""}, "no_code"),
            ({"code": "x\ny"}, "no_code"),
            ({"code": "x" * 5_000}, "no_code"),
            ({"iss": "https://evil.example"}, "another_provider"),
            ({"error": "access_denied", "error_description": "<script>alert(1)</script>"}, "at_provider"),
        ],
    )
    def test_one_that_is_changed_is_not_taken(
        self, visitor: Visitor, changed: dict[str, str], reason: str
    ) -> None:
        query = dict(pair.split("=") for pair in visitor.go().partition("?")[2].split("&"))
        answer = visitor.client.get("/sso/callback", {**query, **changed})
        check_refused(visitor, answer)
        assert "<script>alert" not in answer.content.decode()
        assert reasons() == [reason]

    def test_one_that_names_its_provider_is_taken(self, visitor: Visitor, provider: IdentityProvider) -> None:
        assert visitor.client.get(f"{visitor.go()}&iss={provider.address}").status_code == 302

    def test_nobody_began(self, visitor: Visitor) -> None:
        check_refused(visitor, visitor.client.get("/sso/callback?code=1&state="))
        assert reasons() == ["state"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": None},
        {"jwks_uri": 17},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "ftp://127.0.0.1/"},
    ],
)
def test_a_provider_that_says_something_odd_of_itself_is_gone_to_by_nobody(
    visitor: Visitor, provider: IdentityProvider, wrong: dict[str, object]
) -> None:
    provider.metadata |= wrong
    page = visitor.client.get("/sso/begin")
    assert (page.status_code, "cannot be asked" in text_of(page)) == (403, True)


def test_a_flood_of_refusals_is_one_entry_per_reason_and_cool_off(visitor: Visitor) -> None:
    for _ in range(5):
        visitor.client.get("/sso/callback?code=1&state=2")
    Client(REMOTE_ADDR="203.0.113.88").get("/sso/callback?code=1&state=2")
    assert reasons() == ["state", "state"]
    assert tell_refusals(now=later()) == 2
    assert [entry.facts["times"] for entry in entries_of(STRANGERS)] == [1, 1, 4]
    assert ELSEWHERE not in str(entries_of(STRANGERS))
    assert RefusedSignIns.objects.count() == 1


def test_a_refused_answer_is_on_the_stream_of_who_is_known(
    visitor: Visitor, provider: IdentityProvider
) -> None:
    visitor.sign_on()
    provider.claims["groups"] = []
    Visitor().sign_on()
    last = last_entry(paula().pk)
    assert (last.kind, last.facts["reason"], reasons()) == ("person.sign_in_refused", "no_role", [])
    assert ProviderAccount.objects.count() == 1


def test_the_limit_holds_for_all_of_one_address(visitor: Visitor, settings: Settings) -> None:
    policy = read_policy("sign_on")
    for _ in range(policy.quota):
        count_request(policy, ELSEWHERE)
    assert visitor.client.get("/sso/callback?code=1&state=2").status_code == 429
    assert reasons() == []
