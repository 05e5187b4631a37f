"""Pages about who acts: every action is a service call, and outsiders get nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from identities.models import ApiKey, User
from identities.services import authenticate, issue_api_key
from tests.cast import Cast
from tests.console.visits import Page, act, count_queries, page_of, sign_in, text_of
from tests.factories import AgentFactory, ApplicationFactory, PersonFactory, TeamFactory
from tests.ledger import last_entry

pytestmark = [pytest.mark.console, pytest.mark.slow]

AGENT, APPLICATION, KEY, USER = (
    "identities_agentidentity", "identities_application", "identities_apikey", "identities_user",
)  # fmt: skip
SCRIPT = "<script>alert(1)</script>"


def state_of(subject: Any) -> str:
    subject.refresh_from_db()
    return str(subject.state)


class TestAgents:
    def test_its_page_says_who_and_why(self, cast: Cast) -> None:
        page = text_of(sign_in(cast.bob).get(page_of(AGENT, "change", cast.agent.pk)))
        for words in ("Refunds-Agent active", "Helps in tests.", "Owner alice", "Team Support", "Shop-App",
                      "Nothing: without a grant every call is denied."):  # fmt: skip
            assert words in page

    @pytest.mark.parametrize(
        ("before", "action", "after", "entry"),
        [("active", "suspend", "suspended", "agent.suspended"), ("suspended", "activate", "active", "agent.activated"),
         ("active", "revoke", "revoked", "agent.revoked")],
    )  # fmt: skip
    def test_an_action_changes_the_state_and_is_recorded(
        self, cast: Cast, before: str, action: str, after: str, entry: str
    ) -> None:
        cast.agent.state = before
        cast.agent.save()
        page = text_of(act(sign_in(cast.alice), AGENT, action, cast.agent.pk, reason="An audit."))
        assert state_of(cast.agent) == after
        assert "1 agent identity" in page
        recorded = last_entry(cast.agent.pk)
        assert (recorded.kind, recorded.actor) == (entry, cast.alice.pk)
        assert recorded.content == (None if action == "activate" else {"reason": "An audit."})

    def test_buttons_fit_state_and_rights(self, cast: Cast) -> None:
        path = page_of(AGENT, "change", cast.agent.pk)
        owner = sign_in(cast.alice).get(path).content.decode()
        assert 'value="suspend"' in owner
        assert 'value="activate"' not in owner
        assert 'value="suspend"' not in sign_in(cast.bob).get(path).content.decode()

    @pytest.mark.parametrize("action", ["suspend", "revoke", "activate"])
    @pytest.mark.parametrize("name", ["bob", "charlie", "fiona"])
    def test_others_change_nothing(self, cast: Cast, name: str, action: str) -> None:
        act(sign_in(getattr(cast, name)), AGENT, action, cast.agent.pk)
        assert state_of(cast.agent) == "active"

    def test_of_many_the_allowed_ones_are_changed_and_the_others_named(self, cast: Cast) -> None:
        second = AgentFactory.create(team=cast.team, slug="second", state="suspended")
        page = text_of(act(sign_in(cast.alice), AGENT, "suspend", cast.agent.pk, second.pk))
        assert "1 agent identity suspended." in page
        assert "Second: agent second is suspended, it cannot become suspended" in page

    def test_from_its_page_an_action_leads_back_there(self, cast: Cast) -> None:
        form = {"action": "suspend", "_selected_action": str(cast.agent.pk), "index": "0", "from_page": "1",
                "confirmed": "1", "reason": "Why not."}  # fmt: skip
        response = sign_in(cast.alice).post(page_of(AGENT, "changelist"), form)
        assert response["Location"] == page_of(AGENT, "change", cast.agent.pk)

    def test_an_outsider_sees_nothing_of_it(self, cast: Cast) -> None:
        client = sign_in(cast.charlie)
        for model, found in (
            (AGENT, cast.agent),
            (APPLICATION, cast.application),
            ("identities_team", cast.team),
        ):
            response = client.get(page_of(model, "change", found.pk))
            assert (response.status_code, response["Location"]) == (302, "/admin/")
            assert str(found.pk) not in client.get(page_of(model, "changelist")).content.decode()

    def test_names_and_purposes_stay_text(self, cast: Cast) -> None:
        cast.agent.name = cast.agent.purpose = SCRIPT
        cast.agent.save()
        client = sign_in(cast.bob)
        for path in (page_of(AGENT, "change", cast.agent.pk), page_of(AGENT, "changelist")):
            page = client.get(path).content.decode()
            assert "&lt;script&gt;" in page
            assert SCRIPT not in page


class TestApplications:
    def test_revoking_closes_it(self, cast: Cast) -> None:
        _, bearer = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="shop")
        act(sign_in(cast.alice), APPLICATION, "revoke", cast.application.pk)
        assert state_of(cast.application) == "revoked"
        assert authenticate(bearer) is None

    @pytest.mark.parametrize("name", ["bob", "charlie"])
    def test_others_revoke_nothing(self, cast: Cast, name: str) -> None:
        act(sign_in(getattr(cast, name)), APPLICATION, "revoke", cast.application.pk)
        assert state_of(cast.application) == "active"

    def test_a_key_is_offered_to_those_who_may_issue_it(self, cast: Cast) -> None:
        page, form = page_of(APPLICATION, "change", cast.application.pk), page_of(KEY, "add")
        offered = f"{form}?holder={cast.application.pk}"
        assert offered in sign_in(cast.alice).get(page).content.decode()
        assert form not in sign_in(cast.bob).get(page).content.decode()


class TestKeys:
    def issue(self, client: Client, holder: object, **changes: object) -> Page:
        form = {"holder": str(holder), "label": "the shop", "days": "30", **changes}
        return client.post(page_of(KEY, "add"), form)

    def test_its_text_is_shown_once_and_works(self, cast: Cast) -> None:
        client = sign_in(cast.alice)
        page = self.issue(client, cast.application.pk)
        bearer = next(word for word in text_of(page).split() if word.startswith("aok_"))
        found = authenticate(bearer)
        assert found is not None
        assert found.user == cast.application.service_account
        assert "no-store" in page["Cache-Control"]
        secret = bearer.split("_", 2)[-1]  # its own alphabet has the separator, too
        for path in (page_of(KEY, "changelist"), page_of(KEY, "change", found.pk)):
            assert secret not in client.get(path).content.decode()

    def test_people_issue_their_own(self, cast: Cast) -> None:
        self.issue(sign_in(cast.bob), "me")
        assert ApiKey.objects.get().user == cast.bob

    def test_a_member_without_the_right_issues_none_for_an_application(self, cast: Cast) -> None:
        response = self.issue(sign_in(cast.bob), cast.application.pk)
        assert response.status_code == 422
        assert not ApiKey.objects.exists()

    @pytest.mark.parametrize(("name", "offered"), [("alice", 2), ("bob", 1)])
    def test_the_form_offers_what_may_be_had(self, cast: Cast, name: str, offered: int) -> None:
        form = sign_in(getattr(cast, name)).get(page_of(KEY, "add")).content.decode()
        assert form.count("<option ") == offered
        assert '<option value="me" selected>' in form

    @pytest.mark.parametrize("holder", ["application", "agent", "alice", "nonsense"])
    def test_an_outsider_cannot_choose_somebody_else(self, cast: Cast, holder: str) -> None:
        chosen = {
            "application": cast.application.pk,
            "agent": cast.agent.service_account_id,
            "alice": cast.alice.pk,
        }
        assert self.issue(sign_in(cast.charlie), chosen.get(holder, holder)).status_code == 422
        assert not ApiKey.objects.exists()

    @pytest.mark.parametrize("wrong", [{"days": "0"}, {"days": "400"}, {"days": "x"}, {"label": ""}])
    def test_what_does_not_fit_is_said_at_the_form(self, cast: Cast, wrong: dict[str, str]) -> None:
        assert self.issue(sign_in(cast.bob), "me", **wrong).status_code == 422
        assert not ApiKey.objects.exists()

    def test_its_page_says_whose_it_is_and_offers_to_revoke_what_works(self, cast: Cast) -> None:
        key, _ = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="the shop")
        client, path = sign_in(cast.alice), page_of(KEY, "change", key.pk)
        page = client.get(path)
        assert "the shop active" in text_of(page)
        assert page_of(APPLICATION, "change", cast.application.pk) in page.content.decode()
        assert 'value="revoke"' in page.content.decode()
        act(client, KEY, "revoke", key.pk)
        assert 'value="revoke"' not in client.get(path).content.decode()

    def test_revoking_stops_it(self, cast: Cast) -> None:
        key, bearer = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")
        act(sign_in(cast.bob), KEY, "revoke", key.pk)
        assert authenticate(bearer) is None

    def test_somebody_elses_key_is_neither_seen_nor_revoked(self, cast: Cast) -> None:
        key, bearer = issue_api_key(actor=cast.bob, user=cast.bob, label="mine")
        client = sign_in(cast.fiona)
        act(client, KEY, "revoke", key.pk)
        assert authenticate(bearer) is not None
        assert client.get(page_of(KEY, "change", key.pk)).status_code == 302


class TestPeople:
    def add(self, client: Client, **changes: object) -> Page:
        form = {"username": "nina", "password": "long enough for this", "staff": "on", **changes}
        return client.post(page_of(USER, "add"), form)

    def test_a_superuser_adds_a_person_who_then_needs_a_code(self, cast: Cast) -> None:
        response = self.add(sign_in(cast.ada), groups=[str(cast.finance.pk)])
        nina = User.objects.get(username="nina")
        assert response["Location"] == page_of(USER, "change", nina.pk)
        assert (nina.is_staff, nina.is_superuser, list(nina.groups.all())) == (True, False, [cast.finance])
        assert last_entry(nina.pk).kind == "person.created"

    @pytest.mark.parametrize("wrong", [{"username": "bob"}, {"password": "short"}, {"username": ""}])
    def test_what_does_not_fit_is_said_at_the_form(self, cast: Cast, wrong: dict[str, str]) -> None:
        assert self.add(sign_in(cast.ada), **wrong).status_code == 422
        assert not User.objects.filter(username="nina").exists()

    def test_rights_are_changed_and_recorded(self, cast: Cast) -> None:
        path = page_of(USER, "rights", cast.bob.pk)
        client = sign_in(cast.ada)
        assert "checked" in client.get(path).content.decode()
        client.post(path, {"staff": "on", "groups": [str(cast.finance.pk)]})
        cast.bob.refresh_from_db()
        assert (cast.bob.is_active, cast.bob.is_staff) == (False, True)
        assert last_entry(cast.bob.pk).facts["groups"] == ["finance"]

    def test_nobody_takes_their_own_rights(self, cast: Cast) -> None:
        response = sign_in(cast.ada).post(page_of(USER, "rights", cast.ada.pk), {"active": "on"})
        assert response.status_code == 422
        cast.ada.refresh_from_db()
        assert cast.ada.is_superuser

    def test_nobody_puts_themselves_into_a_group(self, cast: Cast) -> None:
        given = {"active": "on", "staff": "on", "superuser": "on", "groups": [str(cast.finance.pk)]}
        response = sign_in(cast.ada).post(page_of(USER, "rights", cast.ada.pk), given)
        assert response.status_code == 422
        assert "ask another superuser" in text_of(response)
        assert not cast.ada.groups.exists()

    @pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
    def test_nobody_else_makes_or_changes_accounts(self, cast: Cast, name: str) -> None:
        client = sign_in(getattr(cast, name))
        self.add(client, superuser="on")
        client.post(page_of(USER, "rights", cast.bob.pk), {"active": "on", "superuser": "on"})
        act(client, USER, "issue_code", cast.bob.pk)
        cast.bob.refresh_from_db()
        assert not cast.bob.is_superuser
        assert not User.objects.filter(username="nina").exists()
        assert not StaticDevice.objects.exists()

    def test_a_one_time_code_is_shown_once(self, cast: Cast) -> None:
        page = act(sign_in(cast.ada), USER, "issue_code", cast.fiona.pk)
        code = StaticDevice.objects.get(user=cast.fiona).token_set.get().token
        assert code in text_of(page)
        assert not TOTPDevice.objects.filter(user=cast.fiona).exists()

    def test_a_one_time_code_needs_a_fresh_factor(self, cast: Cast) -> None:
        page = act(sign_in(cast.ada, seconds_ago=600), USER, "issue_code", cast.fiona.pk)
        assert "Confirm with your second factor" in text_of(page)
        assert TOTPDevice.objects.filter(user=cast.fiona).exists()

    def test_codes_are_issued_one_by_one(self, cast: Cast) -> None:
        page = act(sign_in(cast.ada), USER, "issue_code", cast.fiona.pk, cast.bob.pk)
        assert "Choose one person" in text_of(page)
        assert not StaticDevice.objects.exists()

    def test_members_see_their_team_and_no_service_accounts(self, cast: Cast) -> None:
        page = text_of(sign_in(cast.bob).get(page_of(USER, "changelist")))
        assert all(name in page for name in ("alice", "bob", "fiona"))
        assert all(name not in page for name in ("charlie", "agent.", "application."))


@pytest.mark.parametrize("model", [AGENT, APPLICATION, KEY, USER, "identities_team"])
def test_a_list_costs_the_same_however_long_it_is(cast: Cast, model: str) -> None:
    client, path = sign_in(cast.ada), page_of(model, "changelist")
    issue_api_key(actor=cast.ada, user=cast.ada, label="one")
    one = count_queries(client, path)
    for number in range(6):
        team = TeamFactory.create()
        team.members.add(PersonFactory.create())
        AgentFactory.create(team=team)
        ApplicationFactory.create(team=team)
        issue_api_key(actor=cast.ada, user=cast.ada, label=f"key {number}")
    assert count_queries(client, path) == one
