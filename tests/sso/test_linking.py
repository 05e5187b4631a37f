"""A local account that signs on at the provider from now on: by its own person, who has seen whose account that is."""

from __future__ import annotations

import pytest

from identities.models import ProviderAccount, User
from identities.services import create_person, sign_ons
from identities.sso import linking
from tests.cast import Cast
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.ledger import kinds_of
from tests.sso.conftest import Visitor
from tests.sso.provider import IdentityProvider
from tests.sso.test_sign_on import roles_of

pytestmark = [pytest.mark.console, pytest.mark.slow]

LINK = "/admin/identities/user/link/"


@pytest.fixture
def bob(cast: Cast, provider: IdentityProvider) -> Visitor:
    """Bob, who has an account here, and whom the provider knows as Paula."""
    cast.bob.set_password("a password of before")
    cast.bob.save()
    return Visitor(client=sign_in(cast.bob))


def confirm(visitor: Visitor, **form: str) -> Page:
    return visitor.client.post(LINK, form, follow=True)


def is_linked() -> bool:
    return ProviderAccount.objects.exists()


def test_once_confirmed_the_provider_says_who_it_is_and_what_they_may(cast: Cast, bob: Visitor) -> None:
    own = page_of("identities_user", "change", cast.bob.pk)
    assert "/sso/begin?link=1" in bob.client.get(own).content.decode()
    assert bob.sign_on(link="1")["Location"] == LINK
    told = text_of(bob.client.get(LINK))
    assert "bob" in told
    assert "paula-1" in told
    assert "operator" in told
    assert not is_linked(), "nothing is linked by coming back"
    assert "From now on you sign on with your company account." in text_of(confirm(bob))
    person = ProviderAccount.objects.get(subject="paula-1").user
    assert (person, roles_of(person)) == (cast.bob, {"operator"})
    assert person.has_usable_password() is False
    assert "person.linked" in kinds_of(person.pk)
    assert bob.is_in(), "who has just confirmed stays in"
    again = Visitor()
    again.sign_on()
    assert again.client.session["_auth_user_id"] == str(cast.bob.pk)
    assert "/sso/begin?link=1" not in bob.client.get(own).content.decode()


def test_a_stale_factor_links_nothing(cast: Cast, provider: IdentityProvider) -> None:
    late = Visitor(client=sign_in(cast.bob, seconds_ago=600))
    late.sign_on(link="1")
    assert "Code from your app" in text_of(confirm(late))
    assert not is_linked()


def test_without_asking_for_one_it_would(
    cast: Cast, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ons, "require_fresh_factor", lambda actor: None)
    late = Visitor(client=sign_in(cast.bob, seconds_ago=600))
    late.sign_on(link="1")
    confirm(late)
    assert is_linked()


def test_nobody_links_without_being_signed_in(provider: IdentityProvider) -> None:
    assert Visitor().client.get("/sso/begin", {"link": "1"}).status_code == 403


def test_who_comes_back_as_somebody_else_links_nothing(cast: Cast, bob: Visitor) -> None:
    back = bob.go(link="1")
    session = bob.client.session["sign_on"]
    alice = sign_in(cast.alice)
    kept = alice.session
    kept["sign_on"] = session
    kept.save()
    assert alice.get(back).status_code == 403
    assert "to_link" not in alice.session


def test_what_was_kept_for_somebody_else_or_too_long_ago_is_not_taken(
    cast: Cast, bob: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob.sign_on(link="1")
    alice = sign_in(cast.alice)
    kept = alice.session
    kept["to_link"] = bob.client.session["to_link"]
    kept.save()
    assert "begin again on your page" in text_of(alice.post(LINK, follow=True))
    monkeypatch.setattr(linking, "LASTS_S", -1)
    bob.sign_on(link="1")
    assert "begin again on your page" in text_of(confirm(bob))
    assert not is_linked()


def test_an_account_that_somebody_has_here_is_not_taken(cast: Cast, bob: Visitor) -> None:
    Visitor().sign_on()
    bob.sign_on(link="1")
    assert "that account has one here" in text_of(confirm(bob)).lower()
    assert not ProviderAccount.objects.filter(user=cast.bob).exists()


def test_groups_that_give_nothing_do_not_cost_all_rights(
    cast: Cast, bob: Visitor, provider: IdentityProvider
) -> None:
    provider.claims["groups"] = []
    bob.sign_on(link="1")
    assert "none of the groups gives a role" in text_of(confirm(bob)).lower()
    assert User.objects.get(pk=cast.bob.pk).is_staff
    assert not is_linked()


def test_one_way_in_for_a_superuser_stays(cast: Cast, provider: IdentityProvider) -> None:
    ada = Visitor(client=sign_in(cast.ada))
    ada.sign_on(link="1")
    assert "while the provider is away" in text_of(confirm(ada))
    create_person(actor=cast.ada, username="spare", password="a long way in, kept", superuser=True)
    confirm(ada)
    assert ProviderAccount.objects.get().user == cast.ada
    assert User.objects.get(pk=cast.ada.pk).is_superuser, (
        "it follows no group, and stays while they have a role"
    )
