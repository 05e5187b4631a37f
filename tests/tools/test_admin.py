"""Pages about what may be done: tools with their breakers, grants, and the terms in plain words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis
from django.test import Client
from django.utils import timezone
from guardian.shortcuts import assign_perm

from agentops.engine.breaker import BreakerSettings
from tests.cast import Cast
from tests.console.visits import Page, act, count_queries, page_of, sign_in, text_of
from tests.factories import GrantFactory, PersonFactory, ToolFactory, ToolVersionFactory
from tests.ledger import kinds_of, last_entry
from tests.tools.breakers import trip
from tools.breaker import Breaker, BreakerSnapshot
from tools.mirror import reconcile_breakers
from tools.models import BreakerState, Tool, ToolGrant, ToolVersion

pytestmark = [pytest.mark.console, pytest.mark.slow]

TOOL, GRANT = "tools_tool", "tools_toolgrant"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def version(cast: Cast) -> ToolVersion:
    made: ToolVersion = ToolVersionFactory.create(
        tool__team=cast.team, tool__name="refund", irreversible=True
    )
    return made


@pytest.fixture
def tool(version: ToolVersion) -> Tool:
    return version.tool


class TestToolPage:
    def test_it_says_what_the_tool_does_takes_and_who_may(self, cast: Cast, tool: Tool) -> None:
        GrantFactory.create(identity=cast.agent, tool=tool, decision="REQUIRE_APPROVAL")
        assign_perm("approve_calls", cast.finance, tool)
        assign_perm("approve_calls", cast.fiona, tool)
        page = text_of(sign_in(cast.bob).get(page_of(TOOL, "change", tool.pk)))
        for words in ("refund active cannot be undone", "Does something to an order.", "order_id required string",
                      "a person is asked every time, who has 10 min to answer", "the group finance", "fiona",
                      "same key, one effect", "Breaker closed",
                      "It has not been called in the last 7 days."):  # fmt: skip
            assert words in page

    def test_it_says_what_people_are_shown_beforehand(self, cast: Cast) -> None:
        status = {"label": "Order status", "type": "status", "before": "/status", "after": "sent"}
        preview = {"tool": "look_up", "pin": "/version", "changes": [status]}
        tool = ToolVersionFactory.create(tool__team=cast.team, preview=preview, effect="irreversible").tool
        page = text_of(sign_in(cast.bob).get(page_of(TOOL, "change", tool.pk)))
        assert "Order status. A person who decides is shown this before and after" in page
        assert "/version or any of it differs" in page

    def test_it_says_what_undoes_the_tool(self, cast: Cast) -> None:
        undo = {"kind": "compensable", "tool": "pay_back", "arguments": {}}
        tool = ToolVersionFactory.create(tool__team=cast.team, undo=undo, effect="irreversible").tool
        page = text_of(sign_in(cast.bob).get(page_of(TOOL, "change", tool.pk)))
        assert "Undone by pay_back (makes up for it)" in page
        assert "cannot be undone" not in page

    def test_it_says_what_invites_mistakes_and_how_to_split_it(self, cast: Cast) -> None:
        fields = {name: {"type": "string", "description": SCRIPT} for name in "abcdefghijklm"}
        schema = {"type": "object", "properties": {**fields, "action": {"enum": ["create", "delete"]}}}
        wide = ToolVersionFactory.create(tool__team=cast.team, tool__name="manage_users", input_schema=schema)
        answer = sign_in(cast.bob).get(page_of(TOOL, "change", wide.tool.pk))
        for words in (
            "whoever may do one of them may do all",
            "How to split it: 4 narrow tools",
            "delete_users_details2",
        ):
            assert words in text_of(answer)
        assert SCRIPT not in answer.content.decode()

    def test_a_tool_without_approvers_says_what_that_means(self, cast: Cast, tool: Tool) -> None:
        page = text_of(sign_in(cast.bob).get(page_of(TOOL, "change", tool.pk)))
        assert "Nobody. No call of it can ever go out." in page

    def test_descriptions_and_schemas_stay_text(self, cast: Cast) -> None:
        schema = {
            "type": "object",
            "properties": {SCRIPT: {"type": SCRIPT, "description": SCRIPT, "enum": [SCRIPT]}},
        }
        version = ToolVersionFactory.create(
            tool__team=cast.team,
            description=SCRIPT,
            statement=SCRIPT,
            input_schema=schema,
            dedupe_on=[SCRIPT],
        )
        page = sign_in(cast.bob).get(page_of(TOOL, "change", version.tool_id)).content.decode()
        assert page.count("&lt;script&gt;") >= 6
        assert SCRIPT not in page

    def test_an_outsider_does_not_see_it(self, cast: Cast, tool: Tool) -> None:
        assert sign_in(cast.charlie).get(page_of(TOOL, "change", tool.pk))["Location"] == "/admin/"


class TestBreaker:
    def test_a_person_stops_all_calls_and_lets_them_through_again(self, cast: Cast, tool: Tool) -> None:
        client = sign_in(cast.alice)
        act(client, TOOL, "force_open", tool.pk, reason="The bank is down.")
        tool.refresh_from_db()
        assert (tool.forced_open_by, tool.forced_open_reason) == (cast.alice, "The bank is down.")
        page = client.get(page_of(TOOL, "change", tool.pk))
        assert "alice stopped all calls just now : The bank is down." in text_of(page)
        assert 'value="lift"' in page.content.decode()
        act(client, TOOL, "lift", tool.pk)
        tool.refresh_from_db()
        assert tool.forced_open_at is None
        assert kinds_of(tool.pk) == ["breaker.forced_open", "breaker.force_lifted"]

    def test_a_breaker_that_opened_by_itself_is_reset(self, cast: Cast, tool: Tool) -> None:
        trip(tool)
        client = sign_in(cast.alice)
        page = client.get(page_of(TOOL, "change", tool.pk))
        assert "No call goes out; the next try is" in text_of(page)
        assert "Consecutive failures." in text_of(page)
        assert 'value="reset"' in page.content.decode()
        act(client, TOOL, "reset", tool.pk)
        assert BreakerState.objects.get().state == "closed"

    def test_a_breaker_that_was_forgotten_is_shown_closed(
        self, cast: Cast, tool: Tool, worker_redis: redis.Redis
    ) -> None:
        trip(tool)
        worker_redis.flushdb()
        page = sign_in(cast.alice).get(page_of(TOOL, "change", tool.pk))
        assert "Breaker closed" in text_of(page)
        assert 'value="reset"' not in page.content.decode()
        assert "refund open" in text_of(sign_in(cast.alice).get("/admin/")), "lists know it a little later"
        reconcile_breakers()
        assert "All tools are being called." in text_of(sign_in(cast.alice).get("/admin/"))

    @pytest.mark.parametrize(
        ("declared", "words"),
        [
            ("halt", "Meanwhile a run that needs it halts."),
            ("wait", "Meanwhile a run that needs it waits."),
            ("skip", "Meanwhile runs go on without it."),
        ],
    )
    def test_what_an_open_breaker_means_is_what_the_tool_declares(
        self, cast: Cast, declared: str, words: str
    ) -> None:
        tool = ToolVersionFactory.create(tool__team=cast.team, on_breaker_open=declared).tool
        trip(tool)
        page = text_of(sign_in(cast.bob).get(page_of(TOOL, "change", tool.pk)))
        assert words in page
        assert "Calls wait" not in page

    def test_a_breaker_is_counted_over_the_window_of_the_latest_version(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = ToolVersionFactory.create(tool__team=cast.team, breaker={"window_s": 600.0})
        snapshot, windows = Breaker.snapshot, []

        def watch(self: Breaker, tool_id: UUID, settings: BreakerSettings | None = None) -> BreakerSnapshot:
            windows.append(settings.window_s if settings else None)
            return snapshot(self, tool_id, settings)

        monkeypatch.setattr(Breaker, "snapshot", watch)
        assert sign_in(cast.alice).get(page_of(TOOL, "change", made.tool.pk)).status_code == 200
        assert 600.0 in windows

    def test_quarantine_and_acceptance(self, cast: Cast, tool: Tool) -> None:
        client = sign_in(cast.alice)
        act(client, TOOL, "quarantine", tool.pk, reason="Its schema changed.")
        assert Tool.objects.get().state == "quarantined"
        act(client, TOOL, "accept", tool.pk, reason="Looked at it.")
        assert Tool.objects.get().state == "active"
        assert last_entry(tool.pk).content == {"reason": "Looked at it."}

    @pytest.mark.parametrize("action", ["force_open", "lift", "reset", "quarantine", "accept"])
    @pytest.mark.parametrize("name", ["bob", "charlie"])
    def test_others_change_nothing(self, cast: Cast, tool: Tool, name: str, action: str) -> None:
        if action == "accept":
            Tool.objects.update(state="quarantined")
        before = Tool.objects.values().get()
        act(sign_in(getattr(cast, name)), TOOL, action, tool.pk)
        assert Tool.objects.values().get() == before

    @pytest.mark.parametrize(
        ("forced", "opened", "state", "offered"),
        [(False, False, "active", {"force_open", "quarantine"}),
         (True, False, "active", {"lift", "reset", "quarantine"}),
         (False, True, "active", {"force_open", "reset", "quarantine"}),
         (False, False, "quarantined", {"accept"})],
    )  # fmt: skip
    def test_buttons_fit_the_state(
        self, cast: Cast, tool: Tool, forced: bool, opened: bool, state: str, offered: set[str]
    ) -> None:
        now = timezone.now() if forced else None
        Tool.objects.update(state=state, forced_open_at=now, forced_open_by=cast.alice if forced else None)
        if opened:
            trip(tool)
        response = sign_in(cast.alice).get(page_of(TOOL, "change", tool.pk))
        assert {button.name for button in response.context["action_buttons"]} == offered


class TestGrants:
    def set_terms(self, client: Client, cast: Cast, tool: Tool, **changes: Any) -> Page:
        form = {"identity": str(cast.agent.pk), "tool": str(tool.pk), "decision": "REQUIRE_APPROVAL",
                "over_caps": "DENY", "approval_ttl_s": "600", **changes}  # fmt: skip
        return client.post(page_of(GRANT, "add"), form)

    def test_the_form_calls_the_service(self, cast: Cast, tool: Tool) -> None:
        response = self.set_terms(
            sign_in(cast.alice), cast, tool, approval_ttl_s="120", day_count="5", veto_s="60"
        )
        grant = ToolGrant.objects.get()
        assert grant.veto_s == 60
        assert response["Location"] == page_of(GRANT, "change", grant.pk)
        assert (grant.decision, grant.approval_ttl_s, grant.caps) == (
            "REQUIRE_APPROVAL", 120, [{"per": "day", "count": 5}],
        )  # fmt: skip
        assert last_entry(cast.agent.pk).kind == "grant.set"

    def test_a_change_starts_from_what_stands_and_keeps_the_old_version(self, cast: Cast) -> None:
        tool = ToolVersionFactory.create(tool__team=cast.team).tool
        caps = [{"per": "call", "amount": "50.00"}, {"per": "day", "count": 3, "amount": "200.00"}]
        grant = GrantFactory.create(identity=cast.agent, tool=tool, decision="ALLOW_WITH_CAPS", caps=caps)
        client = sign_in(cast.alice)
        page = client.get(f"{page_of(GRANT, 'add')}?from={grant.pk}").content.decode()
        for shown in ('name="day_count" value="3"', 'name="day_amount" value="200.00"', 'value="50.00"'):
            assert shown in page
        self.set_terms(
            client, cast, tool, decision="ALLOW_WITH_CAPS", day_count="9", over_caps="REQUIRE_APPROVAL"
        )
        versions = list(ToolGrant.objects.order_by("version").values_list("version", "state"))
        assert versions == [(1, "superseded"), (2, "active")]

    def test_what_the_service_refuses_is_said_at_the_form(self, cast: Cast, tool: Tool) -> None:
        response = self.set_terms(sign_in(cast.alice), cast, tool, decision="ALLOW")
        assert response.status_code == 422
        assert "is irreversible: a person decides about every call" in text_of(response)
        assert not ToolGrant.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        [{"decision": "MAYBE"}, {"approval_ttl_s": "0"}, {"day_count": "-1"}, {"identity": "nobody"},
         {"day_amount": "much"}, {"valid_until": "yesterday"}, {"valid_until": "2020-01-01T00:00"}],
    )  # fmt: skip
    def test_terms_that_nobody_could_mean_are_refused(
        self, cast: Cast, tool: Tool, wrong: dict[str, str]
    ) -> None:
        assert self.set_terms(sign_in(cast.alice), cast, tool, **wrong).status_code == 422
        assert not ToolGrant.objects.exists()

    @pytest.mark.parametrize("name", ["bob", "charlie"])
    def test_others_grant_and_revoke_nothing(self, cast: Cast, tool: Tool, name: str) -> None:
        client = sign_in(getattr(cast, name))
        assert self.set_terms(client, cast, tool).status_code in (302, 422)
        assert not ToolGrant.objects.exists()
        grant = GrantFactory.create(identity=cast.agent, tool=tool, decision="REQUIRE_APPROVAL")
        act(client, GRANT, "revoke", grant.pk)
        assert ToolGrant.objects.get().state == "active"

    def test_only_who_may_grant_is_offered_to(self, cast: Cast) -> None:
        page = page_of("identities_agentidentity", "change", cast.agent.pk)
        assert page_of(GRANT, "add") in sign_in(cast.alice).get(page).content.decode()
        assert page_of(GRANT, "add") not in sign_in(cast.bob).get(page).content.decode()

    def test_revoking_takes_it_away(self, cast: Cast, tool: Tool) -> None:
        grant = GrantFactory.create(identity=cast.agent, tool=tool, decision="REQUIRE_APPROVAL")
        act(sign_in(cast.alice), GRANT, "revoke", grant.pk, reason="Not needed.")
        assert ToolGrant.objects.get().state == "revoked"
        assert not cast.agent.service_account.has_perm("tools.use_tool", tool)
        assert last_entry(cast.agent.pk).content == {"reason": "Not needed."}

    def test_a_waiver_takes_two_people(self, cast: Cast, tool: Tool) -> None:
        second = PersonFactory.create(username="second")
        third = PersonFactory.create(username="third")
        cast.team.members.add(second, third)
        for person in (second, third):
            assign_perm("tools.add_toolgrant", person)
        form = {"identity": str(cast.agent.pk), "tool": str(tool.pk), "decision": "ALLOW_WITH_CAPS",
                "over_caps": "DENY", "approval_ttl_s": "600", "day_count": "5", "day_amount": "50.00",
                "reason": "Tiny refunds at night.",
                "expires_at": (timezone.now() + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M")}  # fmt: skip
        first_page = sign_in(second).post(page_of(GRANT, "waiver"), form, follow=True)
        assert "another person has signed" in text_of(first_page)
        assert not ToolGrant.objects.exists()
        second_page = sign_in(third).post(page_of(GRANT, "waiver"), form, follow=True)
        assert "Signed by two" in text_of(second_page)
        grant = ToolGrant.objects.get()
        assert {grant.waived_by, grant.countersigned_by} == {second, third}
        assert "Waiver by second and third" in text_of(second_page)

    def test_an_outsider_does_not_see_a_grant(self, cast: Cast, tool: Tool) -> None:
        grant = GrantFactory.create(identity=cast.agent, tool=tool, decision="REQUIRE_APPROVAL")
        client = sign_in(cast.charlie)
        assert client.get(page_of(GRANT, "change", grant.pk))["Location"] == "/admin/"
        assert client.get(page_of(GRANT, "add")).status_code == 200  # empty choices: it is not their agent
        assert "Refunds-Agent" not in client.get(f"{page_of(GRANT, 'add')}?from={grant.pk}").content.decode()


@pytest.mark.parametrize("model", [TOOL, GRANT])
def test_a_list_costs_the_same_however_long_it_is(cast: Cast, model: str) -> None:
    client, path = sign_in(cast.alice), page_of(model, "changelist")

    def fill(number: int) -> None:
        for _ in range(number):
            tool = ToolFactory.create(team=cast.team)
            trip(tool)
            GrantFactory.create(identity=cast.agent, tool=tool)

    fill(1)
    one = count_queries(client, path)
    fill(8)
    assert count_queries(client, path) == one


def test_an_agents_page_costs_the_same_however_much_it_may_do(cast: Cast) -> None:
    client, path = sign_in(cast.bob), page_of("identities_agentidentity", "change", cast.agent.pk)

    def fill(number: int) -> None:
        for _ in range(number):
            GrantFactory.create(
                identity=cast.agent, tool=ToolVersionFactory.create(tool__team=cast.team).tool
            )

    fill(1)
    one = count_queries(client, path)
    fill(8)
    assert count_queries(client, path) == one
