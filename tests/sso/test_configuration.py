"""What production refuses of the settings, and that nothing is offered with a fault in them."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from identities.sso.configuration import find_faults, read_configuration
from runs.preflight import check_installation
from tests.sso.conftest import Visitor
from tests.sso.provider import IdentityProvider

GOOD: dict[str, Any] = {
    "PRODUCTION": True,
    "ALLOWED_HOSTS": ["agents.example"],
    "PUBLIC_URL": "https://agents.example",
    "STAFF_SSO_ISSUER": "https://id.example/realms/company",
    "STAFF_SSO_CLIENT_ID": "agents",
    "STAFF_SSO_CLIENT_SECRET": "a secret",
    "STAFF_SSO_ROLES": {"operators": ["operator"]},
    "STAFF_SSO_TEAMS": {"operators": ["support"]},
}


def configure(settings: Settings, **changes: object) -> None:
    for name, value in {**GOOD, **changes}.items():
        setattr(settings, name, value)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("STAFF_SSO_ISSUER", "http://id.example"),
        ("STAFF_SSO_ISSUER", "http://127.0.0.1:8080"),
        ("STAFF_SSO_ISSUER", "https://user@id.example"),
        ("STAFF_SSO_ISSUER", "https://id.example/?tenant=1"),
        ("STAFF_SSO_ISSUER", "id.example"),
        ("STAFF_SSO_CLIENT_ID", ""),
        ("STAFF_SSO_CLIENT_SECRET", ""),
        ("STAFF_SSO_GROUPS_CLAIM", ""),
        ("PUBLIC_URL", ""),
        ("STAFF_SSO_SCOPE", "profile"),
        ("STAFF_SSO_ALGORITHMS", []),
        ("STAFF_SSO_ALGORITHMS", ["none"]),
        ("STAFF_SSO_ALGORITHMS", ["RS256", "HS256"]),
        ("STAFF_SSO_ROLES", {}),
        ("STAFF_SSO_ROLES", []),
        ("STAFF_SSO_ROLES", {"operators": "operator"}),
        ("STAFF_SSO_ROLES", {"operators": []}),
        ("STAFF_SSO_ROLES", {"operators": [1]}),
        ("STAFF_SSO_ROLES", {"operators": ["superuser"]}),
        ("STAFF_SSO_ROLES", {"operators": ["auditor", "operator"]}),
        ("STAFF_SSO_TEAMS", {"operators": "support"}),
    ],
)
def test_a_fault_is_found_and_nothing_is_offered_with_it(
    settings: Settings, setting: str, value: object
) -> None:
    configure(settings, **{setting: value})
    assert {fault.setting for fault in find_faults()} == {setting}
    assert read_configuration() is None


def test_rightly_set_nothing_is_found(settings: Settings) -> None:
    configure(settings)
    assert list(find_faults()) == []
    found = read_configuration()
    assert found is not None
    assert "a secret" not in repr(found)
    configure(settings, STAFF_SSO_ISSUER="", STAFF_SSO_ROLES={}, STAFF_SSO_ALGORITHMS=["none"])
    assert list(find_faults()) == []
    assert read_configuration() is None


@pytest.mark.usefixtures("db")
def test_production_does_not_start_with_a_fault(settings: Settings) -> None:
    configure(settings, STAFF_SSO_ISSUER="http://id.example")
    found = [finding for finding in check_installation() if finding.code == "single_sign_on"]
    assert [finding.subject for finding in found] == ["STAFF_SSO_ISSUER"]


def test_with_a_fault_nobody_is_sent_anywhere(
    visitor: Visitor, provider: IdentityProvider, settings: Settings
) -> None:
    address = visitor.go()
    settings.STAFF_SSO_ROLES = {}
    for path in ("/sso/begin", address):
        page = visitor.client.get(path)
        assert (page.status_code, "not set up rightly" in page.content.decode()) == (403, True)
