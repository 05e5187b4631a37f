"""A list is narrowed by what it shows, and by nothing else: an address is no question about what stays hidden."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Field
from django.test import Client, RequestFactory

from agentops.console.governed import GovernedAdmin
from identities.models import User
from tests.cast import Cast
from tests.console.visits import sign_in

pytestmark = [pytest.mark.console, pytest.mark.slow]

HIDDEN = (
    "password",
    "hash",
    "sealed",
    "ceremony",
    "signed",
    "secret",
    "private",
    "receipt",
    "digest",
    "fingerprint",
)
HOW = ("startswith", "exact", "regex", "isnull", "gt")


def hidden_fields() -> list[tuple[str, str]]:
    """Return, by the label of a model with a page, the columns of its table that nobody is shown whole."""
    return [
        (model._meta.label_lower, field.name)
        for model, page in admin.site._registry.items()
        for field in model._meta.get_fields()
        if isinstance(field, Field)
        and any(word in field.name for word in HIDDEN)
        and field.name not in page.list_display
    ]


@pytest.fixture
def ada(cast: Cast) -> Client:
    return sign_in(cast.ada)


def test_there_are_such_columns() -> None:
    assert {("identities.user", "password"), ("identities.apikey", "secret_hash")} <= {*hidden_fields()}


@pytest.mark.parametrize(("label", "column"), hidden_fields())
def test_nobody_asks_about_what_is_hidden(label: str, column: str) -> None:
    page = admin.site._registry[apps.get_model(label)]
    asked = [column, *(f"{column}__{how}" for how in HOW)]
    assert [each for each in asked if page.lookup_allowed(each, "1", RequestFactory().get("/"))] == []


@pytest.mark.parametrize(
    ("path", "column"),
    [("user", "password"), ("user", "last_login"), ("apikey", "secret_hash"), ("secret", "sealed_value")],
)
def test_such_an_address_is_refused(ada: Client, path: str, column: str) -> None:
    assert ada.get(f"/admin/identities/{path}/", {f"{column}__gte": "1"}).status_code == 400


def test_nobody_guesses_a_colleagues_password_hash(cast: Cast, ada: Client) -> None:
    stored = User.objects.get(pk=cast.bob.pk).password
    for guess in (stored[:12], "another"):
        assert ada.get("/admin/identities/user/", {"password__startswith": guess}).status_code == 400


def test_without_the_rule_a_hash_is_read_letter_by_letter(
    cast: Cast, ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: Django's own rule lets any column of the list's own table be asked about."""
    monkeypatch.delattr(GovernedAdmin, "lookup_allowed")
    stored = User.objects.get(pk=cast.bob.pk).password
    answers = [
        ada.get("/admin/identities/user/", {"username": "bob", "password__startswith": guess})
        for guess in (stored[:12], "another")
    ]
    assert [answer.context["cl"].queryset.count() for answer in answers] == [1, 0]


LINKS = [
    "runs/run/?agent_version=1&created_at__gte=2026-01-01T00:00:00Z",
    "runs/run/?state__in=queued,in_progress",
    "runs/run/?state__exact=requires_action",
    "runs/run/?status_reason=review_capacity&state__exact=queued&team__id__exact=1",
    "runs/run/?agent=refunds&broken=today",
    "approvals/noticedelivery/?state__exact=dead&channel__id__exact=1",
    "approvals/secondlook/?seen_at__isnull=True&stage__isnull=True",
]


@pytest.mark.parametrize("link", LINKS)
def test_what_pages_link_to_is_narrowed_still(ada: Client, link: str) -> None:
    found = "01a22c15-b680-7112-831a-77c7d2244da6"
    assert ada.get(f"/admin/{link.replace('=1', f'={found}')}").status_code == 200
