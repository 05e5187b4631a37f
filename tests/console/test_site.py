"""What holds for every page of the console: who gets in, what it is made of, that nothing can be deleted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.test import Client
from django.urls import reverse
from guardian.shortcuts import assign_perm

from agentops.console.governed import GovernedAdmin
from agentops.console.navigation import stops_for
from tests.cast import Cast
from tests.console.visits import ELSEWHERE, page_of, sign_in
from tests.factories import (
    AgentVersionFactory,
    ApprovalRequestFactory,
    BudgetFactory,
    GrantFactory,
    PriceFactory,
    PrincipalFactory,
    RunFactory,
    ToolVersionFactory,
)
from tests.factories.runs import change_set_of

pytestmark = [pytest.mark.console, pytest.mark.slow]

MODELS = sorted(model._meta.label_lower.replace(".", "_") for model in admin.site._registry)
# Their forms hand what they were given to a service.
BY_SERVICE = {"apikey", "changerule", "credential", "secret", "signingkey", "tokenissuer", "user"}
WITHOUT_ADD = sorted(
    set(MODELS)
    - {f"identities_{name}" for name in BY_SERVICE}
    - {
        "runs_campaign",
        "runs_run",
        "runs_schedule",
        "runs_stop",
        "tools_toolgrant",
        "tools_toolserver",
        "tools_userterms",
    }
    - {
        "approvals_absence",
        "approvals_approvalrule",
        "approvals_denialreasons",
        "approvals_noticechannel",
        "approvals_reviewcapacity",
        "approvals_oversightrule",
        "approvals_samplingrule",
    }
    - {"tools_decisiontable"}
)


@pytest.fixture
def pages(cast: Cast) -> list[str]:
    """Fill the tables and return the address of every page that shows an object, and of every list."""
    version = ToolVersionFactory.create(tool__team=cast.team, irreversible=True)
    assign_perm("approve_calls", cast.fiona, version.tool)
    agent_version = AgentVersionFactory.create(identity=cast.agent, published=True)
    objects = {
        "tools_tool": version.tool,
        "tools_toolgrant": GrantFactory.create(identity=cast.agent, tool=version.tool),
        "runs_agentversion": agent_version,
        "runs_run": RunFactory.create(agent_version=agent_version),
        "runs_changeset": change_set_of(RunFactory.create(agent_version=agent_version)),
        "runs_budget": BudgetFactory.create(team=cast.team),
        "runs_price": PriceFactory.create(),
        "approvals_approvalrequest": ApprovalRequestFactory.create(identity=cast.agent, tool_version=version),
        "identities_agentidentity": cast.agent,
        "identities_application": cast.application,
        "identities_principal": PrincipalFactory.create(team=cast.team),
        "identities_team": cast.team,
        "identities_user": cast.fiona,
    }
    lists = [page_of(model, "changelist") for model in MODELS]
    shown = [page_of(model, "change", found.pk) for model, found in objects.items()]
    shown += [f"/admin/{app}/" for app in ("approvals", "identities", "ledger", "runs", "tools")]
    forms = [page_of(model, "add") for model in ("identities_apikey", "runs_run")]
    return [reverse("admin:index"), reverse("admin:second_factor"), *lists, *shown, *forms]


@pytest.fixture
def fiona(cast: Cast) -> Client:
    return sign_in(cast.fiona)


def test_no_page_opens_without_a_session_or_a_second_factor_or_staff_rights(
    pages: list[str], cast: Cast
) -> None:
    anonymous, password_only, no_staff = (Client(REMOTE_ADDR=ELSEWHERE) for _ in range(3))
    password_only.force_login(cast.bob, backend="django.contrib.auth.backends.ModelBackend")
    cast.alice.is_staff = False
    cast.alice.save()
    no_staff = sign_in(cast.alice)
    for client in (anonymous, password_only, no_staff):
        answers = {path: client.get(path) for path in pages}
        assert {answer.status_code for answer in answers.values()} == {302}
        assert all(answer["Location"].startswith("/admin/login/") for answer in answers.values())


def test_every_page_opens_for_a_member_of_the_team_under_a_strict_content_security_policy(
    pages: list[str], fiona: Client
) -> None:
    for path in pages:
        response = fiona.get(path)
        assert response.status_code == 200, path
        policy = response["Content-Security-Policy"]
        assert "script-src 'self';" in f"{policy};"
        assert "unsafe" not in policy
        assert not list(forbidden_markup(response.content.decode())), path


def forbidden_markup(page: str) -> Iterator[str]:
    """Yield what the policy would block, and what would come from elsewhere."""
    yield from re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", page)
    yield from re.findall(r"<style\b[^>]*>", page)
    yield from re.findall(r"<[^>]+\s(?:style|on[a-z]+)=", page)
    yield from re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', page)
    yield from re.findall(r'(?:href|src|action)="(?:javascript|data):[^"]*"', page)


def test_htmx_may_neither_evaluate_nor_style_nor_keep_pages(fiona: Client) -> None:
    page = fiona.get(reverse("admin:index")).content.decode()
    for setting in ('"allowEval":false', '"includeIndicatorStyles":false', '"allowScriptTags":false',
                    '"historyCacheSize":0'):  # fmt: skip
        assert setting in page


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_deleted(model: str, pages: list[str], cast: Cast) -> None:
    ada = sign_in(cast.ada)
    response = ada.post(
        page_of(model, "changelist"), {"action": "delete_selected", "_selected_action": ["1"], "index": "0"}
    )
    assert "Are you sure" not in response.content.decode()
    found = apps.get_model(model.replace("_", ".", 1))._default_manager.first()
    if found is not None:
        assert ada.post(page_of(model, "delete", found.pk), {"post": "yes"}).status_code in (302, 403, 404)
        assert type(found)._default_manager.filter(pk=found.pk).exists()


@pytest.mark.parametrize("model", WITHOUT_ADD)
def test_nothing_is_added_past_a_service(model: str, cast: Cast) -> None:
    assert sign_in(cast.ada).get(page_of(model, "add")).status_code == 403


@pytest.mark.parametrize("model", ["runs_budget", "runs_price"])
def test_stock_forms_are_read_only(model: str, pages: list[str], cast: Cast) -> None:
    found = apps.get_model(model.replace("_", ".", 1))._default_manager.first()
    if found is not None:
        ada = sign_in(cast.ada)
        assert ada.post(page_of(model, "change", found.pk), {"max_usd": "1", "active": ""}).status_code == 403


def test_only_governed_pages_are_registered() -> None:
    assert all(isinstance(page, GovernedAdmin) for page in admin.site._registry.values())

    class Stranger(ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
        pass

    model = apps.get_model("otp_totp.totpdevice")
    admin.site.register(model, Stranger)
    admin.site.register(model)
    assert not admin.site.is_registered(model)


@pytest.mark.parametrize(
    "path", ["/admin/otp_totp/totpdevice/", "/admin/axes/accesslog/", "/admin/auth/permission/"]
)
def test_the_pages_of_libraries_are_not_there(path: str, cast: Cast) -> None:
    assert sign_in(cast.ada).get(path).status_code == 404


def test_the_rail_counts_what_waits_for_this_person(pages: list[str], cast: Cast) -> None:
    def inbox_of(client: Client) -> int:
        request = client.get(reverse("admin:index")).wsgi_request
        return next(stop.waiting for stop in stops_for(request, request.path) if stop.label == "Inbox")

    assert inbox_of(sign_in(cast.fiona)) == 1
    assert inbox_of(sign_in(cast.bob)) == 0


def test_the_rail_is_fetched_again_by_itself(pages: list[str], fiona: Client) -> None:
    page = fiona.get(reverse("admin:rail"), {"at": "/admin/runs/run/"}).content.decode()
    assert page.startswith('<nav id="rail"')
    assert '<a href="/admin/runs/run/" aria-current="page">' in page
    assert page.count("aria-current") == 1
    assert '<span class="rail-count">1</span>' in page
    assert Client(REMOTE_ADDR=ELSEWHERE).get(reverse("admin:rail")).status_code == 302
    strange = fiona.get(reverse("admin:rail"), {"at": '"><script>'}).content.decode()
    assert "<script" not in strange


def test_the_history_of_an_object_is_its_ledger(pages: list[str], cast: Cast, fiona: Client) -> None:
    response = fiona.get(page_of("identities_team", "history", cast.team.pk))
    assert response["Location"] == reverse("admin:ledger_stream_change", args=[cast.team.pk])
    outside = sign_in(cast.charlie).get(page_of("identities_team", "history", cast.team.pk))
    assert outside["Location"] == "/admin/"


NINES = "9" * 5_000


@pytest.mark.parametrize("value", ["\0", "a\0b", NINES], ids=["nul", "nul inside", "nines"])
def test_no_list_breaks_at_a_stray_query(cast: Cast, value: str) -> None:
    client = sign_in(cast.ada)
    names = (
        "kind",
        "actor",
        "stream_kind",
        "stream",
        "days",
        "before",
        "agent",
        "state",
        "p",
        "o",
        "q",
        "all",
    )
    for model, governed in admin.site._registry.items():
        if not isinstance(governed, GovernedAdmin):
            continue
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        assert client.get(page).status_code == 200
        for name in names:
            assert client.get(page, {name: value}).status_code == 400, (page, name)
