"""Signing on: who is known, what their groups give and take, and that the second factor stays ours."""

from __future__ import annotations

import pytest
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings

from agentops.console.enrolment import issue_enrolment_code
from agentops.console.sessions import BEGAN
from identities.models import ApiKey, ProviderAccount, User
from identities.services import issue_api_key, update_person
from identities.signins import STRANGERS
from tests.cast import Cast
from tests.console.visits import ELSEWHERE, page_of, sign_in, text_of
from tests.factories import PersonFactory, give_second_factor
from tests.factories.identities import current_code
from tests.ledger import entries_of, kinds_of, last_entry
from tests.oauth.clients import key_pair
from tests.sso.conftest import Visitor, paula
from tests.sso.provider import IdentityProvider

pytestmark = [pytest.mark.console, pytest.mark.slow]

FACTOR = "/admin/sign-in/factor/"


def roles_of(person: User) -> set[str]:
    return set(person.groups.values_list("name", flat=True))


def sign_on_fully(visitor: Visitor, device: TOTPDevice) -> None:
    """Sign on, and give the factor."""
    visitor.sign_on()
    visitor.client.post(FACTOR, {"code": current_code(device), "next": "/admin/"})


def test_a_group_that_gives_a_role_makes_the_account(visitor: Visitor, provider: IdentityProvider) -> None:
    answer = visitor.sign_on(next="/admin/runs/run/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=%2Fadmin%2Fruns%2Frun%2F")
    person = paula()
    assert (person.username, roles_of(person)) == ("paula@127.0.0.1", {"operator"})
    assert (person.is_staff, person.is_superuser, person.email) == (True, False, "")
    assert not person.has_usable_password()
    made, signed_in = entries_of(person.pk)
    assert (made.kind, made.actor) == ("person.created", None)
    assert made.facts == {
        "by": "single_sign_on", "issuer": provider.address,
        "staff": True, "superuser": False, "groups": ["operator"],
    }  # fmt: skip
    assert (signed_in.kind, signed_in.facts) == ("person.signed_in", {"issuer": provider.address})
    Visitor().sign_on()
    assert ProviderAccount.objects.count() == 1
    page = sign_in(PersonFactory.create(is_superuser=True)).get(
        page_of("identities_user", "change", person.pk)
    )
    assert f"{provider.address}, whose groups give the roles" in text_of(page)


class TestSecondFactor:
    def test_whoever_signed_on_is_asked_for_it_and_sees_nothing_before(self, visitor: Visitor) -> None:
        visitor.sign_on()
        assert visitor.is_known()
        for path in ("/admin/", "/admin/second-factor/", "/admin/runs/run/"):
            assert visitor.client.get(path)["Location"].startswith("/admin/login/?next=")
        assert visitor.client.get("/api/v1/agents").status_code == 401
        assert "Your second factor" in text_of(visitor.client.get("/admin/login/?next=/admin/runs/run/"))

    def test_a_code_of_the_app_lets_in_and_is_fresh(self, visitor: Visitor) -> None:
        visitor.sign_on()
        device = give_second_factor(paula())
        before = visitor.client.session.session_key
        answer = visitor.client.post(FACTOR, {"code": current_code(device), "next": "/admin/runs/run/"})
        assert (answer.status_code, answer["Location"]) == (302, "/admin/runs/run/")
        assert visitor.is_in()
        assert visitor.client.session.session_key != before
        assert visitor.client.session[BEGAN]
        assert "Scan this picture" in text_of(visitor.client.get("/admin/second-factor/")), "fresh"

    def test_a_one_time_code_leads_to_setting_up_a_device_and_nowhere_else(
        self, visitor: Visitor, cast: Cast
    ) -> None:
        visitor.sign_on()
        code = issue_enrolment_code(actor=cast.ada, user=paula())
        visitor.client.post(FACTOR, {"code": code, "next": "/admin/"})
        assert visitor.client.get("/admin/")["Location"] == "/admin/second-factor/"
        visitor.client.get("/admin/second-factor/")
        device = TOTPDevice.objects.get(user=paula())
        visitor.client.post("/admin/second-factor/", {"code": current_code(device)})
        assert visitor.is_in()

    def test_wrong_codes_keep_out_and_lock_the_name_there(self, visitor: Visitor, settings: Settings) -> None:
        settings.AXES_ENABLED = True
        visitor.sign_on()
        device = give_second_factor(paula())
        assert "not right" in text_of(visitor.client.post(FACTOR, {"code": "abcdef"}))
        for _ in range(7):
            visitor.client.post(FACTOR, {"code": "abcdef"})
        TOTPDevice.objects.update(throttling_failure_count=0)
        visitor.client.post(FACTOR, {"code": current_code(device)})
        assert not visitor.is_in()
        assert "person.sign_in_refused" in kinds_of(paula().pk)
        again = Visitor()
        assert again.sign_on().status_code == 403
        assert not again.is_known()
        assert Visitor(Client(REMOTE_ADDR="203.0.113.77")).sign_on().status_code == 302

    def test_the_code_of_somebody_else_keeps_out(self, visitor: Visitor, cast: Cast) -> None:
        visitor.sign_on()
        visitor.client.post(FACTOR, {"code": current_code(TOTPDevice.objects.get(user=cast.fiona))})
        assert not visitor.is_in()

    def test_the_page_is_for_those_who_signed_on(self, cast: Cast) -> None:
        client = Client(REMOTE_ADDR=ELSEWHERE)
        client.force_login(cast.fiona, backend="django.contrib.auth.backends.ModelBackend")
        client.post(FACTOR, {"code": current_code(TOTPDevice.objects.get(user=cast.fiona))})
        assert client.get("/admin/").status_code == 302


class TestGroups:
    def test_roles_and_teams_follow_them_in_both_directions(
        self, visitor: Visitor, provider: IdentityProvider, cast: Cast, settings: Settings
    ) -> None:
        settings.STAFF_SSO_TEAMS = {"operators": [cast.team.slug], "owners": [cast.other_team.slug]}
        visitor.sign_on()
        person = paula()
        person.groups.add(cast.finance)
        assert set(person.teams.all()) == {cast.team}
        provider.claims["groups"] = ["owners", "something of theirs"]
        Visitor().sign_on()

        assert roles_of(person) == {"tool owner", "approver", "finance"}, "what is given here stays"
        assert set(person.teams.all()) == {cast.other_team}
        updated = next(entry for entry in entries_of(person.pk) if entry.kind == "person.updated")
        assert (updated.actor, updated.facts["issuer"]) == (None, provider.address)
        assert updated.facts["groups"] == ["approver", "finance", "tool owner"]
        left = last_entry(cast.team.pk)
        assert left.facts == {
            "by": "single_sign_on", "issuer": provider.address, "joined": [], "left": [str(person.pk)],
        }  # fmt: skip

    def test_teams_that_no_group_names_are_left_alone(self, visitor: Visitor, cast: Cast) -> None:
        visitor.sign_on()
        cast.team.members.add(paula())
        Visitor().sign_on()
        assert set(paula().teams.all()) == {cast.team}

    @pytest.mark.parametrize("groups", [[], None, ["something of theirs"]])
    def test_the_last_one_lost_ends_access(
        self, visitor: Visitor, provider: IdentityProvider, cast: Cast, groups: list[str] | None
    ) -> None:
        visitor.sign_on()
        person = paula()
        person.set_password("correct horse battery")
        person.is_superuser = True
        person.save()
        person.groups.add(cast.finance)
        sign_on_fully(visitor, give_second_factor(person))
        key, _ = issue_api_key(actor=person, user=person, label="mine")
        assert visitor.is_in()
        provider.claims["groups"] = groups
        assert "in no group" in text_of(Visitor().sign_on())

        assert not visitor.is_in()
        assert not visitor.is_known() or visitor.client.get("/api/v1/agents").status_code == 401
        person.refresh_from_db()
        assert (person.is_staff, person.is_superuser, roles_of(person)) == (False, False, set())
        assert not person.has_usable_password()
        assert ApiKey.objects.get(pk=key.pk).revoked_at is not None
        told = [(entry.kind, entry.actor) for entry in entries_of(person.pk)][-3:]
        assert told == [("person.updated", None), ("key.revoked", None), ("person.sign_in_refused", None)]
        # Staff again: nothing that was opened before counts.
        provider.claims["groups"] = ["operators"]
        assert Visitor().sign_on().status_code == 302
        assert (roles_of(paula()), paula().is_superuser) == ({"operator"}, False)
        assert not visitor.is_in()

    def test_nobody_becomes_a_superuser(self, visitor: Visitor, provider: IdentityProvider) -> None:
        provider.claims |= {"is_superuser": True, "superuser": True, "groups": ["operators", "superuser"]}
        visitor.sign_on()
        assert not paula().is_superuser

    def test_an_auditor_is_nothing_else(self, visitor: Visitor, provider: IdentityProvider) -> None:
        visitor.sign_on()
        provider.claims["groups"] = ["operators", "auditors"]
        again = Visitor()
        assert "an auditor changes nothing" in text_of(again.sign_on())
        assert (again.is_known(), roles_of(paula())) == (False, {"operator"})
        assert last_entry(paula().pk).facts["reason"] == "auditor_only"


class TestWhoItIs:
    def test_a_local_account_is_not_taken_over(self, visitor: Visitor, provider: IdentityProvider) -> None:
        local = PersonFactory.create(username="paula", email="paula@example.com", is_superuser=True)
        lookalike = PersonFactory.create(username="paula@127.0.0.1")
        provider.claims |= {"email": "paula@example.com", "email_verified": True}
        visitor.sign_on()
        assert paula() not in (local, lookalike)
        assert paula().username.startswith("paula.")
        assert entries_of(local.pk) == entries_of(lookalike.pk) == []

    @pytest.mark.parametrize(
        "name", [None, 17, "", "@", "agent.refunds-agent", "../../etc", "x" * 300, "паула"]
    )
    def test_any_name_will_do(self, visitor: Visitor, provider: IdentityProvider, name: object) -> None:
        provider.claims["preferred_username"] = name
        assert visitor.sign_on().status_code == 302
        assert paula().username.endswith("@127.0.0.1")

    def test_a_name_that_comes_back_is_somebody_else(
        self, visitor: Visitor, provider: IdentityProvider
    ) -> None:
        visitor.sign_on()
        provider.claims["sub"] = "paula-2"
        Visitor().sign_on()
        assert len(set(ProviderAccount.objects.values_list("user", flat=True))) == 2

    def test_a_subject_of_another_issuer_is_somebody_else(self, visitor: Visitor) -> None:
        other = PersonFactory.create()
        ProviderAccount.objects.create(user=other, issuer="https://other.example", subject="paula-1")
        visitor.sign_on()
        assert ProviderAccount.objects.exclude(user=other).get().subject == "paula-1"

    def test_a_closed_account_is_refused(self, visitor: Visitor, cast: Cast) -> None:
        visitor.sign_on()
        person = paula()
        update_person(actor=cast.ada, person=person, active=False, staff=True, superuser=False, groups=[])
        again = Visitor()
        assert "is closed" in text_of(again.sign_on())
        assert not again.is_known()
        assert last_entry(person.pk).facts["reason"] == "account_closed"
        person.refresh_from_db()
        assert (person.is_active, roles_of(person)) == (False, set()), "and nothing of it changes"


class TestSession:
    @pytest.mark.parametrize("was_known", [False, True])
    def test_it_begins_anew(self, visitor: Visitor, cast: Cast, was_known: bool) -> None:
        client = visitor.client
        if was_known:
            client.force_login(cast.bob, backend="django.contrib.auth.backends.ModelBackend")
        session = client.session
        session["left behind"] = 1
        session.save()
        before = session.session_key
        visitor.sign_on()
        assert client.session.session_key != before
        assert client.session["_auth_user_id"] == str(paula().pk)
        assert "left behind" not in client.session

    @pytest.mark.parametrize(
        "wanted",
        [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "javascript:alert(1)",
            "",
            "/" + "x" * 3000,
        ],
    )
    def test_it_leads_to_nowhere_else(self, visitor: Visitor, wanted: str) -> None:
        answer = visitor.sign_on(next=wanted)
        assert answer["Location"] == "/admin/login/?next=%2Fadmin%2F"
        page = visitor.client.post(
            FACTOR, {"code": current_code(give_second_factor(paula())), "next": wanted}
        )
        assert page["Location"] == "/admin/"

    def test_a_password_afterwards_is_no_sign_on(self, visitor: Visitor, provider: IdentityProvider) -> None:
        visitor.sign_on()
        person = paula()
        person.set_password("correct horse battery")
        person.save()
        form = {"username": person.username, "password": "correct horse battery"}
        code = current_code(give_second_factor(person))
        visitor.client.post("/admin/login/", {**form, "otp_token": code, "next": "/admin/"})
        assert visitor.is_in()
        assert last_entry(person.pk).facts == {}


@pytest.mark.parametrize(("kind", "alg"), [("EC", "ES256"), ("RSA", "RS256")])
def test_providers_sign_in_several_ways(
    visitor: Visitor, provider: IdentityProvider, kind: str, alg: str
) -> None:
    provider.key, provider.alg = key_pair(f"provider-{kind}", kind), alg
    provider.jwks = (200, {"keys": [provider.key.as_dict(private=False)]})
    provider.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    provider.takes_form = True
    assert visitor.sign_on().status_code == 302


def test_the_way_there_is_offered_where_there_is_one(visitor: Visitor, settings: Settings) -> None:
    page = Client().get("/admin/login/?next=/admin/runs/run/").content.decode()
    assert 'href="/sso/begin?next=/admin/runs/run/"' in page
    settings.STAFF_SSO_ISSUER = ""
    assert "/sso/begin" not in Client().get("/admin/login/").content.decode()
    for path in ("/sso/begin", "/sso/callback?code=1&state=2"):
        assert visitor.client.get(path).status_code == 403
    assert visitor.client.post("/sso/begin").status_code == 405
    assert entries_of(STRANGERS) == []


def test_sign_ons_of_one_address_are_limited(visitor: Visitor, settings: Settings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "sign_on": (2, 60)}
    assert visitor.sign_on().status_code == 302
    assert visitor.client.get("/sso/begin").status_code == 429
    assert visitor.client.get("/sso/callback").status_code == 429
