"""Preflight of the installation: settings, database role, published versions, and the command that shows it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from ipaddress import ip_network
from typing import LiteralString

import psycopg
import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from psycopg import sql

from identities.models import ChangeRule
from runs.memory.meaning.provider import embedder_of
from runs.models import AgentVersion
from runs.preflight import (
    advice,
    advise_installation,
    check_installation,
    embeddings,
    refuse_unsafe_start,
)
from runs.preflight import database as database_preflight
from tests.cast import Cast
from tests.factories import PriceFactory
from tests.runs.guardrails import (
    OLD_KEY,
    agents,
    change,
    grants,
    lack_nothing,
    make_whole_version,
    regrant,
    tool,
    versions,
)
from tests.runs.production import LONG_KEYS, run_in_production
from tools import sandbox

pytestmark = [pytest.mark.setup, pytest.mark.slow]

SEALING_KEY = LONG_KEYS["AGENTOPS_SEALING_KEYS"]


@pytest.fixture
def version(cast: Cast) -> AgentVersion:
    return make_whole_version(cast)


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
        ("AGENTOPS_SEALING_KEYS", [], "malformed_key"),
        ("AGENTOPS_SEALING_KEYS", ["without-a-name-" + OLD_KEY], "malformed_key"),
        ("AGENTOPS_SEALING_KEYS", ["with.dots:" + OLD_KEY], "malformed_key"),
        ("AGENTOPS_SEALING_KEYS", [SEALING_KEY, SEALING_KEY + "x"], "malformed_key"),
        ("AGENTOPS_SEALING_KEYS", [SEALING_KEY, "old:short"], "weak_key"),
        ("AGENTOPS_SEALING_KEYS", ["first:" + LONG_KEYS["SECRET_KEY"]], "same_key_twice"),
        ("AGENTOPS_SEALING_KEYS", ["first:" + LONG_KEYS["AGENTOPS_DIGEST_KEY"]], "same_key_twice"),
        ("AGENTOPS_SEALING_KEYS", ["first:" + OLD_KEY], "same_key_twice"),
        ("DEBUG", True, "debug"),
        ("ALLOWED_HOSTS", [], "no_allowed_hosts"),
        ("ALLOWED_HOSTS", ["*"], "no_allowed_hosts"),
        ("ALLOWED_HOSTS", [".com"], "no_allowed_hosts"),
        ("PUBLIC_URL", "http://agents.example", "public_url"),
        ("PUBLIC_URL", "https://elsewhere.example", "public_url"),
        ("OUTGOING_PRIVATE_NETWORKS", [ip_network("0.0.0.0/0")], "wide_networks"),
        ("OUTGOING_PRIVATE_NETWORKS", [ip_network("10.0.0.0/8"), ip_network("::/0")], "wide_networks"),
        ("OUTGOING_PRIVATE_NETWORKS", [ip_network("0.0.0.0/1")], "wide_networks"),
        ("TOOLS_PYTHON_MODULES", ["shop.tools", "os"], "open_modules"),
        ("TOOLS_PYTHON_MODULES", ["subprocess"], "open_modules"),
        ("TOOLS_PYTHON_MODULES", ["identities.services"], "open_modules"),
        ("CSRF_TRUSTED_ORIGINS", ["https://*"], "open_origins"),
        ("CSRF_TRUSTED_ORIGINS", ["https://*.com"], "open_origins"),
        ("CSRF_TRUSTED_ORIGINS", ["http://agents.example"], "open_origins"),
        ("RATE_LIMITS", {"token": (10**9, 60)}, "no_rate_limit"),
        ("RATE_LIMITS", {"token": (0, 60)}, "no_rate_limit"),
        ("SESSION_IDLE_S", 10**9, "idle_sessions"),
        ("SESSION_IDLE_S", 0, "idle_sessions"),
        ("LEDGER_CHECKPOINT_EVERY_S", 86_400.0, "rare_checkpoints"),
        ("MCP_COMMANDS", {"time": "mcp-server-time"}, "malformed_command"),
        ("REDIS_URL", "redis://cache.example.com/0", "open_wire"),
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
def test_each_further_provider_needs_a_key(production: LazySettings) -> None:
    production.MODEL_PROVIDERS = {"backup": "https://models.example.com/v1"}
    assert installation_codes() == {"no_model_key"}
    production.MODEL_PROVIDER_KEYS = {"backup": "sk-something"}
    assert installation_codes() == set()


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
    cautions = {m.id for m in found if not m.is_serious()}
    assert cautions == {"agentops.one_person_may_loosen"}  # the rules that most tests live by
    found = [m for m in found if m.is_serious()]
    assert [(m.id, m.obj, m.msg, m.hint) for m in found] == [
        (f"agentops.{f.code}", f.subject, f.problem, f.remedy) for f in check_installation()
    ]
    assert {m.id for m in found} == {"agentops.weak_key", "agentops.no_allowed_hosts"}


@pytest.mark.usefixtures("db")
def test_servers_without_a_sandbox_are_named_and_keep_nothing_from_starting(
    production: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = {"line": ["mcp-server-time"], "sandbox": False}
    production.MCP_COMMANDS = {"time": bare, "git": ["mcp-server-git"]}
    monkeypatch.setattr(sandbox, "probe", lambda: "unshare: Operation not permitted")

    found = {(m.id, m.obj): m for m in run_checks(include_deployment_checks=True) if m.obj}
    told = [("no_sandbox_possible", "MCP_COMMANDS: git"), ("no_sandbox_wanted", "MCP_COMMANDS: time")]
    for code, subject in told:
        assert not found[f"agentops.{code}", subject].is_serious()
    assert [(each.code, each.subject) for each in advise_installation()] == told
    refuse_unsafe_start()

    production.MCP_COMMANDS = {"time": bare["line"]}
    monkeypatch.setattr(sandbox, "probe", lambda: "")
    assert advise_installation() == []


def test_a_collector_that_nothing_is_sent_to_is_named(
    production: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    production.OTEL_EXPORTER_OTLP_ENDPOINT = "https://collector.example.com"
    assert advise_installation() == []
    monkeypatch.setattr(advice, "find_spec", lambda name: None)
    assert [each.code for each in advise_installation()] == ["no_exporter"]
    production.OTEL_EXPORTER_OTLP_ENDPOINT = ""
    assert advise_installation() == []


def advised() -> set[str]:
    return {each.code for each in advise_installation()}


@pytest.mark.usefixtures("db")
def test_a_model_for_vectors_needs_pgvector_a_price_and_a_key_and_keeps_nothing_from_starting(
    production: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert advised() == set()
    production.EMBEDDINGS_MODEL, production.OPENAI_API_KEY = "embed-1", ""
    embedder_of.cache_clear()
    assert advised() == {"embeddings_unpriced", "embeddings_no_endpoint"}
    with monkeypatch.context() as patch:
        patch.setattr(embeddings, "_COMPARES", "SELECT to_regtype('no_such_type') IS NOT NULL")
        assert advised() == {"no_pgvector", "embeddings_unpriced", "embeddings_no_endpoint"}
        told = {m.id for m in run_checks(include_deployment_checks=True) if not m.is_serious()}
        assert "agentops.no_pgvector" in told
        refuse_unsafe_start()

    production.OPENAI_API_KEY = "sk-something"
    embedder_of.cache_clear()
    PriceFactory.create(model="embed-1")
    assert advised() == set()


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
        (
            "DROP TRIGGER ledger_checkpoint_row ON ledger_checkpoint_head",
            {"database_owner", "ledger_unguarded"},
        ),
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
        ("UPDATE", "ledger_checkpoint"),
        ("DELETE", "ledger_checkpoint_head"),
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
    assert "agentops.one_person_may_loosen" in check_deploy().stderr  # by the rules that most tests live by
    for rule in ChangeRule.objects.all():
        rule.needs = "two_to_loosen"
        rule.save()
    result = check_deploy()
    assert (result.returncode, "no issues" in result.stdout) == (0, True), result.stderr


@pytest.mark.parametrize("name", ["prod", "Production", "production ", ""])
def test_an_environment_of_another_name_is_none(name: str) -> None:
    """It would be a development installation, and go without all that production asks for."""
    result = check_deploy(AGENTOPS_ENV=name)
    assert result.returncode != 0
    assert "AGENTOPS_ENV is development, test or production" in result.stderr


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
