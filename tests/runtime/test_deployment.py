"""The production files, without a container engine: checked against their schema, scripts run for real."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvicorn
import yaml

from agentops.runtime import postgres, service_urls
from agentops.runtime.accounts import CURRENT_ACCOUNT
from agentops.runtime.application import web_argv
from agentops.runtime.services import temporary_stack
from agentops.runtime.supervision import ROOT
from agentops.sealing import named_keys

COMPOSE_FILE = ROOT / "docker-compose.yml"
SECRETS = (
    "app_password",
    "digest_key",
    "email_url",
    "metrics_token",
    "model_provider_keys",
    "openai_api_key",
    "otlp_headers",
    "owner_password",
    "postgres_password",
    "sealing_keys",
    "secret_key",
    "secret_key_fallbacks",
    "staff_sso_client_secret",
)
LEFT_EMPTY = {
    "email_url",
    "metrics_token",
    "model_provider_keys",
    "openai_api_key",
    "otlp_headers",
    "secret_key_fallbacks",
    "staff_sso_client_secret",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Return docker-compose.yml; YAML is whatever it is."""
    return dict(yaml.safe_load(COMPOSE_FILE.read_text()))


def test_compose_fits_the_specification() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    subprocess.run([sys.executable, "-m", "check_jsonschema", *schema, str(COMPOSE_FILE)], check=True)


def test_everything_that_is_referred_to_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= compose["services"].keys()
        assert set(service.get("secrets", [])) <= compose["secrets"].keys()
        assert set(service["networks"]) <= compose["networks"].keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]


def test_every_service_that_stays_has_a_health_check(compose: dict[str, Any]) -> None:
    staying = {name for name, service in compose["services"].items() if service["restart"] != "no"}

    assert staying == {"postgres", "valkey", "web", "worker", "urgent", "beat"}
    assert all("healthcheck" in compose["services"][name] for name in staying)


def test_a_service_waits_only_for_what_can_become_true(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, wait in service.get("depends_on", {}).items():
            other = compose["services"][name]
            once = wait["condition"] == "service_completed_successfully"
            assert other["restart"] == "no" if once else "healthcheck" in other


def test_secrets_are_files_outside_the_repository(compose: dict[str, Any]) -> None:
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"deploy/secrets/{name}"}
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            sensitive = any(word in name for word in ("PASSWORD", "SECRET", "KEY", "TOKEN", "DATABASE_URL"))
            assert not sensitive or str(value).startswith("/run/secrets/")
            assert "@" not in str(value)


def test_only_the_migration_gets_the_owners_password(compose: dict[str, Any]) -> None:
    holders = {
        name
        for name, service in compose["services"].items()
        if "owner_password" in service.get("secrets", [])
    }

    assert holders == {"postgres", "migrate"}
    assert "app_password" not in compose["services"]["migrate"]["secrets"]


def test_the_data_services_cannot_be_reached_from_outside(compose: dict[str, Any]) -> None:
    assert compose["networks"]["backend"]["internal"] is True
    for name in ("postgres", "valkey"):
        assert compose["services"][name]["networks"] == ["backend"]
        assert "ports" not in compose["services"][name]
    assert compose["services"]["web"]["ports"] == ["127.0.0.1:8000:8000"]


def trusted_proxies(compose: dict[str, Any]) -> str:
    """Return the default of FORWARDED_ALLOW_IPS."""
    value = compose["services"]["web"]["environment"]["FORWARDED_ALLOW_IPS"]
    return str(value).removeprefix("${FORWARDED_ALLOW_IPS:-").removesuffix("}")


def test_the_host_comes_in_through_the_one_address_that_is_trusted(compose: dict[str, Any]) -> None:
    (network,) = (name for name in compose["services"]["web"]["networks"] if name != "backend")
    (pool,) = compose["networks"][network]["ipam"]["config"]

    assert trusted_proxies(compose) == pool["gateway"]
    assert ip_address(pool["gateway"]) in ip_network(pool["subnet"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("172.30.77.1", "203.0.113.7", "203.0.113.7"),
        ("172.30.77.1", "203.0.113.8", "203.0.113.8"),
        ("172.30.77.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the client said something itself
        ("172.30.77.5", "203.0.113.7", "172.30.77.5"),  # another container
        ("127.0.0.1", "203.0.113.7", "127.0.0.1"),
    ],
)
def test_clients_behind_the_proxy_keep_their_addresses(
    compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch, peer: str, forwarded: str, seen: str
) -> None:
    """Wrong passwords are counted by name and address."""
    clients: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:  # Any: ASGI
        clients.append(scope["client"][0])

    monkeypatch.setenv("FORWARDED_ALLOW_IPS", trusted_proxies(compose))
    config = uvicorn.Config(application, lifespan="off", log_config=None)
    config.load()
    headers = [(b"x-forwarded-for", forwarded.encode())]
    scope: Any = {"type": "http", "client": (peer, 40_000), "scheme": "http", "headers": headers}
    nothing: Any = None
    asyncio.run(config.loaded_app(scope, nothing, nothing))

    assert clients == [seen]


def test_the_image_installs_by_hash_and_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]

    assert any("--require-hashes -r /tmp/requirements.lock" in line for line in lines)
    assert users[-1:] == ["10001"]
    assert "deploy/secrets" in (ROOT / ".dockerignore").read_text().splitlines()


def test_every_web_server_has_a_bound_for_its_stop(compose: dict[str, Any]) -> None:
    """An open event stream would otherwise hold it until the container is killed, after ten seconds."""
    image = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD "))
    for argv in (json.loads(image.removeprefix("CMD ")), compose["services"]["web"]["command"], web_argv(1)):
        assert "uvicorn" in argv
        assert 0 < int(argv[argv.index("--timeout-graceful-shutdown") + 1]) < 10


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    """Copy the deployment's scripts, so that the secrets made by a test stay in the test."""
    ignore = shutil.ignore_patterns("secrets")
    return Path(shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=ignore))


def test_secrets_are_made_once_and_behind_a_closed_door(deploy: Path) -> None:
    def create() -> dict[str, str]:
        subprocess.run([deploy / "create-secrets.sh"], check=True)
        return {path.name: path.read_text() for path in sorted((deploy / "secrets").iterdir())}

    secrets = create()

    assert tuple(secrets) == SECRETS
    random = [value.rpartition(":")[2] for name, value in secrets.items() if name not in LEFT_EMPTY]
    assert all(len(value) == 64 for value in random)
    assert len(set(random)) == len(random)
    assert stat.S_IMODE((deploy / "secrets").stat().st_mode) == 0o700
    assert create() == secrets
    assert list(named_keys((secrets["sealing_keys"],))) == ["first"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            ["app_password", "secret_key", "secret_key_fallbacks", "staff_sso_client_secret"],
            {
                "STAFF_SSO_CLIENT_SECRET": "<staff_sso_client_secret>",
                "DATABASE_URL": "postgresql://agentops_app:<app_password>@db/agentops",
                "SECRET_KEY": "<secret_key>",
                "SECRET_KEY_FALLBACKS": "<secret_key_fallbacks>",
            },
        ),
        (
            ["owner_password", "digest_key", "sealing_keys"],
            {
                "DATABASE_URL": "postgresql://agentops_owner:<owner_password>@db/agentops",
                "DATABASE_OWNER_URL": "postgresql://agentops_owner:<owner_password>@db/agentops",
                "AGENTOPS_DIGEST_KEY": "<digest_key>",
                "AGENTOPS_SEALING_KEYS": "<sealing_keys>",
            },
        ),
    ],
)
def test_a_container_knows_only_the_secrets_it_was_given(
    deploy: Path, tmp_path: Path, given: list[str], expected: dict[str, str]
) -> None:
    secrets = tmp_path / "run-secrets"
    secrets.mkdir()
    for name in given:
        (secrets / name).write_text(f"<{name}>")
    script = deploy / "entrypoint.sh"
    script.write_text(script.read_text().replace("/run/secrets", str(secrets)))
    environment = {"PATH": os.environ["PATH"], "POSTGRES_HOST": "db"}
    shown = subprocess.check_output([script, "env"], env=environment, text=True)
    variables = dict(line.split("=", 1) for line in shown.splitlines())

    assert {name: value for name, value in variables.items() if "<" in value} == expected


@pytest.mark.parametrize(("given", "expected"), [(None, []), ("", []), ("old,older", ["old", "older"])])
def test_keys_that_were_replaced_come_from_the_environment(given: str | None, expected: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY_FALLBACKS"}
    environment |= service_urls.PLACEHOLDERS | ({} if given is None else {"SECRET_KEY_FALLBACKS": given})
    code = "import json, config.settings as s; print(json.dumps(s.SECRET_KEY_FALLBACKS))"
    shown = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=environment, text=True)

    assert json.loads(shown) == expected


def test_whoever_knows_the_key_knows_the_ones_it_replaced(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        secrets = service.get("secrets", [])
        assert ("secret_key" in secrets) == ("secret_key_fallbacks" in secrets)


def test_the_roles_of_a_real_server_sign_in_with_passwords_and_create_no_databases() -> None:
    with temporary_stack(durable=False) as stack:
        stack.start_postgres()
        url = stack.superuser_url()
        psql = postgres.find_binaries(CURRENT_ACCOUNT) / "psql"
        for _ in range(2):  # a second time changes nothing
            subprocess.run(
                [
                    *(psql, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=database=governed"),
                    *(
                        "--set=owner_password=it's",
                        "--set=app_password=quoted",
                        "--file",
                        postgres.ROLES_SQL,
                        url,
                    ),
                ],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        with psycopg.connect(url) as connection:
            roles = connection.execute(
                "SELECT rolname::text, rolcreatedb, rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid"
                " WHERE rolname LIKE 'agentops%' ORDER BY 1"
            ).fetchall()
            owner = connection.execute(
                "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'governed'"
            ).fetchone()

    assert roles == [("agentops_app", False, True), ("agentops_owner", False, True)]
    assert owner == ("agentops_owner",)
