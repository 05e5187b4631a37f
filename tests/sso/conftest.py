"""A provider at which Paula is an operator, this installation as its client, and browsers that go there and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2
import pytest
from django.test import Client
from pytest_django import Settings

from identities.models import ProviderAccount, User
from identities.oauth import issuers
from identities.sso.provider import forget_provider
from tests.console.visits import ELSEWHERE, Page
from tests.sso.provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider, serve_provider

ROLES = {"operators": ["operator"], "owners": ["tool owner", "approver"], "auditors": ["auditor"]}


@dataclass
class Visitor:
    """A browser, whose person signs on."""

    client: Client = field(default_factory=lambda: Client(REMOTE_ADDR=ELSEWHERE))

    def go(self, **query: str) -> str:
        """Go to the provider, and return where it sends the person back to."""
        begun = self.client.get("/sso/begin", query)
        assert begun.status_code == 302, begun.content
        answer = httpx2.get(begun["Location"])
        assert answer.status_code == 302, answer.text
        parts = urlsplit(answer.headers["Location"])
        return f"{parts.path}?{parts.query}"

    def sign_on(self, **query: str) -> Page:
        """Go there and back."""
        return self.client.get(self.go(**query))

    def is_known(self) -> bool:
        """Return whether the session says who this is."""
        return "_auth_user_id" in self.client.session

    def is_in(self) -> bool:
        return self.client.get("/admin/").status_code == 200


@pytest.fixture(scope="session")
def serving_provider() -> Iterator[IdentityProvider]:
    """Serve one provider to all tests."""
    with serve_provider() as served:
        yield served


@pytest.fixture
def provider(db: None, serving_provider: IdentityProvider, settings: Settings) -> IdentityProvider:
    """Provide the provider, and the settings that name it."""
    serving_provider.reset()
    forget_provider()
    issuers.forget_keys()
    settings.STAFF_SSO_ISSUER = serving_provider.address
    settings.STAFF_SSO_CLIENT_ID, settings.STAFF_SSO_CLIENT_SECRET = CLIENT_ID, CLIENT_SECRET
    settings.STAFF_SSO_ROLES, settings.STAFF_SSO_TEAMS = ROLES, {}
    return serving_provider


@pytest.fixture
def visitor(provider: IdentityProvider) -> Visitor:
    return Visitor()


def paula() -> User:
    """Return whose account it is that the provider knows as paula-1."""
    found: User = ProviderAccount.objects.get(subject="paula-1").user
    return found
