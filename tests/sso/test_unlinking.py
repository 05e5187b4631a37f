"""A link with the provider's account, taken back: nothing that came of it lets anybody in any more."""

from __future__ import annotations

import pytest
from django.test import Client

from agentops.errors import PolicyDenied, StateConflict
from identities.models import ApiKey, ProviderAccount, User
from identities.services import create_person, issue_api_key, set_password, sign_ons, unlink_account
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.identities.test_factors import stale
from tests.ledger import entries_of, kinds_of
from tests.sso.conftest import Visitor
from tests.sso.provider import IdentityProvider
from tests.sso.test_linking import bob, confirm
from tests.sso.test_sign_on import roles_of

__all__ = ["bob"]
LONG = "a long way in, kept"


@pytest.fixture
def linked(cast: Cast, bob: Visitor) -> Visitor:
    """Bob, who signs on at the provider from now on, in two browsers, and has a key."""
    bob.sign_on(link="1")
    confirm(bob)
    issue_api_key(actor=cast.bob, user=User.objects.get(pk=cast.bob.pk), label="laptop")
    return bob


def unlink(client: Client, person: User) -> str:
    return text_of(client.post(f"/admin/identities/user/{person.pk}/unlink/", {}, follow=True))


def assert_nothing_is_left(cast: Cast, other: Visitor) -> None:
    person = User.objects.get(pk=cast.bob.pk)
    assert not ProviderAccount.objects.filter(user=person).exists()
    assert (person.is_staff, roles_of(person), person.has_usable_password()) == (False, set(), False)
    assert not other.is_in()
    assert not ApiKey.objects.filter(user=person, revoked_at=None).exists()
    assert "person.unlinked" in kinds_of(person.pk)


def test_its_person_takes_it_back(cast: Cast, linked: Visitor) -> None:
    other = Visitor()
    other.sign_on()
    own = page_of("identities_user", "change", cast.bob.pk)
    assert "/unlink/" in linked.client.get(own).content.decode()
    unlink(linked.client, cast.bob)
    assert_nothing_is_left(cast, other)
    assert not linked.is_in()
    entry = next(each for each in entries_of(cast.bob.pk) if each.kind == "person.unlinked")
    assert entry.actor == cast.bob.pk
    assert "paula-1" not in str(entry.facts), "whom the provider names is personal"


def test_a_superuser_takes_it_back_and_gives_another_way_in(cast: Cast, linked: Visitor) -> None:
    ada = sign_in(cast.ada)
    assert "has no way in here yet" in unlink(ada, cast.bob)
    assert_nothing_is_left(cast, linked)
    place = f"/admin/identities/user/{cast.bob.pk}"
    assert "has another password" in text_of(ada.post(f"{place}/password/", {"password": LONG}, follow=True))
    assert User.objects.get(pk=cast.bob.pk).check_password(LONG)
    again = Visitor()
    again.sign_on()
    assert again.client.session["_auth_user_id"] != str(cast.bob.pk), (
        "the company account is somebody else here"
    )


def test_a_colleague_takes_nothing_back(cast: Cast, linked: Visitor) -> None:
    for person in (cast.alice, cast.charlie):
        unlink(sign_in(person), cast.bob)
        with pytest.raises(PolicyDenied):
            unlink_account(actor=person, person=cast.bob)
    assert ProviderAccount.objects.filter(user=cast.bob).exists()
    assert linked.is_in()


def test_a_stale_factor_takes_nothing_back(cast: Cast, linked: Visitor) -> None:
    with pytest.raises(PolicyDenied, match="second_factor_required"):
        unlink_account(actor=stale(cast.bob), person=cast.bob)
    assert linked.is_in()


def test_what_is_not_linked_is_told_so(cast: Cast, provider: IdentityProvider) -> None:
    with pytest.raises(StateConflict, match="not_linked"):
        unlink_account(actor=cast.ada, person=cast.bob)
    assert (
        "/unlink/"
        not in sign_in(cast.bob).get(page_of("identities_user", "change", cast.bob.pk)).content.decode()
    )


def test_the_last_superuser_who_gets_in_stays(cast: Cast) -> None:
    ProviderAccount.objects.create(user=cast.ada, issuer="https://id.example", subject="ada-1")
    User.objects.filter(is_superuser=True).exclude(pk=cast.ada.pk).update(is_superuser=False)
    with pytest.raises(StateConflict, match="last_way_in"):
        unlink_account(actor=cast.ada, person=cast.ada)
    create_person(actor=cast.ada, username="spare", password=LONG, superuser=True)
    assert not unlink_account(actor=cast.ada, person=cast.ada).is_superuser


def test_nobody_gets_a_password_beside_the_provider(cast: Cast, linked: Visitor) -> None:
    with pytest.raises(StateConflict, match="signs_on_elsewhere"):
        set_password(actor=cast.ada, person=cast.bob, password=LONG)
    assert (
        "/password/"
        not in sign_in(cast.ada).get(page_of("identities_user", "change", cast.bob.pk)).content.decode()
    )


def test_mutant_that_ends_no_access_leaves_sessions_and_keys(
    cast: Cast, linked: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ons, "_end_access", lambda person, cause: None)
    unlink_account(actor=cast.ada, person=cast.bob)
    with pytest.raises(AssertionError):
        assert_nothing_is_left(cast, linked)
    assert ApiKey.objects.filter(user=cast.bob, revoked_at=None).exists()


def test_mutant_that_takes_no_rights_leaves_the_roles(
    cast: Cast, linked: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_ons, "_take_rights", lambda person, actor: None)
    unlink_account(actor=cast.ada, person=cast.bob)
    assert roles_of(User.objects.get(pk=cast.bob.pk)) == {"operator"}
