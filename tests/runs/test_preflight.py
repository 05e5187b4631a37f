"""Preflight: each missing guardrail is found, named, and gone once it is there."""

from __future__ import annotations

import math
import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection
from django.utils import timezone
from guardian.shortcuts import assign_perm
from psycopg import sql

from runs.models import AgentVersion
from runs.preflight import check_installation, check_version, refuse_unsafe_start
from runs.preflight import database as database_preflight
from runs.preflight import versions as version_preflight
from tests.cast import Cast
from tests.factories import (
    PersonFactory,
    ToolVersionFactory,
    give_second_factor,
)
from tests.runs.guardrails import (
    OLD_KEY,
    SPOILED,
    agents,
    change,
    grants,
    lack_nothing,
    long_ago,
    lose_device,
    lose_fiona,
    make_whole_version,
    regrant,
    tool,
    versions,
)
from tests.runs.production import LONG_KEYS, run_in_production
from tools.models import Tool, ToolVersion


def codes(version: AgentVersion) -> set[str]:
    fresh = AgentVersion.objects.get(pk=version.pk)
    return {finding.code for finding in check_version(fresh)}


@pytest.fixture
def version(cast: Cast) -> AgentVersion:
    return make_whole_version(cast)


def test_complete_version_has_no_findings(version: AgentVersion) -> None:
    assert check_version(version) == []


@pytest.mark.parametrize(("spoil", "code"), SPOILED)
def test_each_missing_guardrail_is_found(
    cast: Cast, version: AgentVersion, spoil: Callable[[Cast], None], code: str
) -> None:
    spoil(cast)

    findings = check_version(AgentVersion.objects.get(pk=version.pk))
    assert {finding.code for finding in findings} == {code}
    assert all(finding.subject and finding.problem and finding.remedy for finding in findings)


def test_every_missing_limit_is_a_finding(cast: Cast, version: AgentVersion) -> None:
    versions(cast).update(max_steps=None, max_tokens=None, max_usd=None, max_seconds=None)

    findings = check_version(AgentVersion.objects.get(pk=version.pk))
    assert [finding.code for finding in findings] == ["no_budget"] * 4


def test_end_of_the_identity_is_an_expiry_too(cast: Cast, version: AgentVersion) -> None:
    versions(cast).update(run_expires_after_s=None)
    agents(cast).update(expires_at=timezone.now() + timedelta(days=1))

    assert codes(version) == set()


def test_approver_may_be_named_in_person(cast: Cast, version: AgentVersion) -> None:
    cast.fiona.groups.clear()
    dora = PersonFactory.create()
    give_second_factor(dora)
    assign_perm("approve_calls", dora, Tool.objects.get(name="refund"))

    assert codes(version) == set()


def test_superuser_is_no_approver_by_rank(cast: Cast, version: AgentVersion) -> None:
    cast.fiona.groups.clear()
    give_second_factor(cast.ada)

    assert codes(version) == {"no_approver"}


def test_no_machine_is_an_approver(cast: Cast, version: AgentVersion) -> None:
    cast.fiona.groups.clear()
    account = cast.application.service_account
    give_second_factor(account)
    assign_perm("approve_calls", account, Tool.objects.get(name="refund"))

    assert codes(version) == {"no_approver"}


def test_demo_does_without_the_device_only(cast: Cast, version: AgentVersion, settings: LazySettings) -> None:
    settings.DEMO = True
    lose_device(cast)
    assert codes(version) == set()
    lose_fiona(cast)
    assert codes(version) == {"no_approver"}


def test_reversible_tool_over_its_caps_needs_an_approver(cast: Cast, version: AgentVersion) -> None:
    regrant("look_up", decision="ALLOW_WITH_CAPS", over_caps="REQUIRE_APPROVAL")(cast)

    assert codes(version) == {"no_approver"}


def test_standing_waiver_is_a_human_twice_over(cast: Cast, version: AgentVersion) -> None:
    waiver = {
        "decision": "ALLOW_WITH_CAPS",
        "waived_by": cast.ada,
        "countersigned_by": cast.bob,
        "waived_version_digest": version.catalogue.get(tool__name="refund").digest,
        "waiver_reason": "small sums",
        "waiver_expires_at": timezone.now() + timedelta(days=1),
    }
    regrant("refund", **waiver)(cast)
    assert codes(version) == set()
    for lapsed in ({"waiver_expires_at": long_ago()}, {"waived_version_digest": "e" * 64}):
        regrant("refund", **{**waiver, **lapsed})(cast)
        assert codes(version) == {"irreversible_without_human"}


def test_two_versions_of_one_tool(cast: Cast, version: AgentVersion) -> None:
    newer = ToolVersionFactory.create(tool=Tool.objects.get(name="look_up"), reads=True)
    version.catalogue.add(newer)

    assert codes(version) == {"tool_twice"}


# What the database refuses anyway is found all the same, should its constraints be lost.


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"effect": ""}, {"no_effect_class"}),
        ({"effect": "harmless"}, {"no_effect_class"}),
        ({"effect": None}, {"no_effect_class"}),
        ({"timeout_s": 0.0}, {"no_timeout"}),
        ({"timeout_s": -5.0}, {"no_timeout"}),
        ({"timeout_s": None}, {"no_timeout"}),
        ({"timeout_s": math.nan}, {"no_timeout"}),
        ({"timeout_s": math.inf}, {"no_timeout"}),
        ({"idempotency": ""}, {"no_idempotency"}),
        ({"idempotency": "perhaps"}, {"no_idempotency"}),
        ({"idempotency": None}, {"no_idempotency"}),
        (
            {"effect": "", "timeout_s": 0.0, "idempotency": ""},
            {"no_effect_class", "no_timeout", "no_idempotency"},
        ),
    ],
)
def test_each_missing_declaration_is_found(
    changes: dict[str, Any],  # Any: fields of a tool version
    expected: set[str],
) -> None:
    declared = {"effect": "read", "timeout_s": 5.0, "idempotency": "none", **changes}
    unsaved = ToolVersion(tool=Tool(name="look_up"), number=1, **declared)

    found = list(version_preflight._check_declarations(unsaved))
    assert {finding.code for finding in found} == expected
    assert all(finding.subject == "look_up v1" and finding.remedy for finding in found)


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("effect", "", "tool_version_has_effect_class"),
        ("effect", "harmless", "tool_version_has_effect_class"),
        ("effect", None, "not-null"),
        ("timeout_s", 0.0, "tool_version_has_timeout"),
        ("timeout_s", -5.0, "tool_version_has_timeout"),
        ("timeout_s", None, "not-null"),
        ("idempotency", "", "tool_version_declares_idempotency"),
        ("idempotency", "perhaps", "tool_version_declares_idempotency"),
        ("idempotency", None, "not-null"),
    ],
)
def test_the_database_takes_no_tool_version_without_it(
    column: str, value: float | str | None, constraint: str
) -> None:
    complete = ToolVersionFactory.create()
    assert insert_copy(complete, number=2) == 1
    with pytest.raises(IntegrityError, match=constraint):
        insert_copy(complete, number=3, **{column: value})


def insert_copy(version: ToolVersion, **changes: Any) -> int:
    """Insert the row again past Django, under a new id and with these columns; return how many came to be."""
    columns = [str(field.column) for field in ToolVersion._meta.concrete_fields]
    values = [sql.Placeholder() if name in changes else sql.Identifier(name) for name in columns[1:]]
    statement = sql.SQL(
        "INSERT INTO tools_toolversion ({}) SELECT gen_random_uuid(), {} FROM tools_toolversion WHERE id = %s"
    ).format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join(values))
    given = [changes[name] for name in columns if name in changes]
    with connection.cursor() as cursor:
        cursor.execute(statement, [*given, version.pk])
        inserted: int = cursor.rowcount
        return inserted


# --- the installation ----------------------------------------------------------------------------------


@pytest.fixture
def production(settings: LazySettings) -> LazySettings:
    return lack_nothing(settings)


def installation_codes() -> set[str]:
    return {finding.code for finding in check_installation()}


@pytest.mark.usefixtures("db", "production")
def test_good_installation_has_no_findings() -> None:
    assert check_installation() == []
    refuse_unsafe_start()


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SECRET_KEY", "short", "weak_key"),
        ("SECRET_KEY", "a" * 64, "weak_key"),
        ("SECRET_KEY", "django-insecure-" + LONG_KEYS["SECRET_KEY"], "weak_key"),
        ("AGENTOPS_DIGEST_KEY", "", "weak_key"),
        ("AGENTOPS_DIGEST_KEY", "please-change-me-please-change-me-please-change-me!", "weak_key"),
        ("AGENTOPS_DIGEST_KEY", LONG_KEYS["SECRET_KEY"], "same_key_twice"),
        ("SECRET_KEY_FALLBACKS", [OLD_KEY, "short"], "weak_key"),
        ("SECRET_KEY_FALLBACKS", ["a" * 64], "weak_key"),
        ("SECRET_KEY_FALLBACKS", ["django-insecure-" + OLD_KEY], "weak_key"),
        ("SECRET_KEY_FALLBACKS", [LONG_KEYS["AGENTOPS_DIGEST_KEY"]], "same_key_twice"),
        ("DEBUG", True, "debug"),
        ("ALLOWED_HOSTS", [], "no_allowed_hosts"),
        ("ALLOWED_HOSTS", ["*"], "no_allowed_hosts"),
    ],
)
def test_each_weak_setting_is_found(production: LazySettings, name: str, value: object, code: str) -> None:
    setattr(production, name, value)

    assert installation_codes() == {code}
    with pytest.raises(ImproperlyConfigured, match=name):
        refuse_unsafe_start()


@pytest.mark.usefixtures("production")
def test_published_versions_count(cast: Cast, version: AgentVersion) -> None:
    versions(cast).update(principal_source="")
    assert installation_codes() == set()
    versions(cast).update(state="published")
    assert installation_codes() == {"no_principal_source"}


@pytest.mark.parametrize(
    "spoil",
    [
        change(agents, state="suspended"),
        change(agents, state="revoked"),
        change(tool("look_up"), state="quarantined"),
        regrant("look_up", decision="DENY"),
        change(grants("look_up"), state="revoked"),
    ],
)
@pytest.mark.usefixtures("production")
def test_emergency_stops_do_not_keep_production_down(
    cast: Cast, version: AgentVersion, spoil: Callable[[Cast], None]
) -> None:
    versions(cast).update(state="published")
    spoil(cast)

    assert installation_codes() == set()


def test_published_agents_need_a_model_key(
    cast: Cast, version: AgentVersion, production: LazySettings
) -> None:
    production.OPENAI_API_KEY = ""
    assert installation_codes() == set()
    versions(cast).update(state="published")
    assert installation_codes() == {"no_model_key"}


@pytest.mark.usefixtures("db")
def test_nothing_is_held_against_a_demo(settings: LazySettings) -> None:
    settings.PRODUCTION, settings.SECRET_KEY = False, "short"

    refuse_unsafe_start()
    found = run_checks(include_deployment_checks=True)
    assert not [message for message in found if str(message.id).startswith("agentops.")]


@pytest.mark.usefixtures("db")
def test_system_checks_show_the_same_list(production: LazySettings) -> None:
    production.SECRET_KEY, production.ALLOWED_HOSTS = "short", []

    found = [m for m in run_checks(include_deployment_checks=True) if str(m.id).startswith("agentops.")]
    assert [(m.id, m.obj, m.msg, m.hint) for m in found] == [
        (f"agentops.{f.code}", f.subject, f.problem, f.remedy) for f in check_installation()
    ]
    assert {m.id for m in found} == {"agentops.weak_key", "agentops.no_allowed_hosts"}


# --- the database role -----------------------------------------------------------------------------------


def database_codes() -> set[str]:
    return {finding.code for finding in database_preflight.check_database()}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", {"database_owner"}),
        ("ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_row", {"database_owner", "ledger_unguarded"}),
        ("DROP TRIGGER ledger_entry_truncate ON ledger_entry", {"database_owner", "ledger_unguarded"}),
    ],
)
def test_owner_could_change_the_ledger(
    monkeypatch: pytest.MonkeyPatch, statement: LiteralString, expected: set[str]
) -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as owner:
        owner.execute(statement)
        monkeypatch.setattr(database_preflight, "connection", owner)
        assert database_codes() == expected
        owner.rollback()


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    ("right", "table"),
    [
        ("UPDATE (facts)", "ledger_entry"),
        ("UPDATE (hash)", "ledger_entry"),
        ("DELETE", "ledger_entry"),
        ("TRUNCATE", "ledger_entry"),
        ("DELETE", "ledger_entry_other"),
        ("UPDATE", "ledger_entry_other"),
        ("INSERT", "ledger_entry_other"),
    ],
)
def test_one_right_too_many_is_found(right: LiteralString, table: LiteralString) -> None:
    names = {"right": sql.SQL(right), "table": sql.Identifier(table)}
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute(sql.SQL("GRANT {right} ON {table} TO agentops_app").format(**names))
        try:
            assert database_codes() == {"ledger_writable"}
        finally:
            owner.execute(sql.SQL("REVOKE {right} ON {table} FROM agentops_app").format(**names))


@pytest.mark.usefixtures("db")
def test_application_role_passes() -> None:
    assert list(database_preflight.check_database()) == []


@pytest.mark.usefixtures("db")
def test_database_that_cannot_be_used(production: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_preflight, "_ROLE", "SELECT nonsense")
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        assert installation_codes() == {"database_unusable"}
        cursor.execute("ROLLBACK TO SAVEPOINT before")


# --- the command -------------------------------------------------------------------------------------------


def check_deploy(**changes: str) -> subprocess.CompletedProcess[str]:
    return run_in_production("manage.py", "check", "--deploy", "--fail-level", "WARNING", **changes)


@pytest.mark.django_db(transaction=True)
def test_check_deploy_is_clean_in_a_good_environment() -> None:
    result = check_deploy()
    assert (result.returncode, "no issues" in result.stdout) == (0, True), result.stderr


@pytest.mark.django_db(transaction=True)
def test_check_deploy_names_every_finding() -> None:
    same = LONG_KEYS["SECRET_KEY"]
    result = check_deploy(
        AGENTOPS_DIGEST_KEY=same, ALLOWED_HOSTS="*", DATABASE_URL=os.environ["DATABASE_OWNER_URL"]
    )

    assert result.returncode == 1
    for code in ("same_key_twice", "no_allowed_hosts", "database_owner"):
        assert f"agentops.{code}" in result.stderr
    assert "HINT" in result.stderr
    assert same not in result.stderr
