"""What this installation lacks before it may run in production."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.http.request import validate_host

from approvals.models import NoticeChannel
from identities.sso.configuration import find_faults
from runs.models import AgentVersion
from runs.preflight.database import check_database
from runs.preflight.findings import Finding
from runs.preflight.keys import check_keys
from runs.preflight.versions import check_published
from runs.preflight.weak import check_weak
from runs.preflight.wires import check_wires
from tools.commands import parse_commands


def check_installation() -> list[Finding]:
    """Return everything that stands against running this installation in production."""
    findings = [
        *check_keys(),
        *_check_web(),
        *check_weak(),
        *check_wires(),
        *_check_sign_on(),
        *_check_commands(),
    ]
    try:
        return [*findings, *check_database(), *_check_published_versions(), *_check_notices()]
    except DatabaseError:
        problem = "it cannot be reached, or has not been migrated"
        return [*findings, Finding("database_unusable", "DATABASE_URL", problem, "Start it and run migrate")]


def refuse_unsafe_start() -> None:
    """Raise ImproperlyConfigured with every finding if this is production and there are any."""
    findings = check_installation() if settings.PRODUCTION else []
    if findings:
        raise ImproperlyConfigured("production does not start:\n" + "\n".join(f"- {f}" for f in findings))


def _check_web() -> Iterator[Finding]:
    if settings.DEBUG:
        problem = "error pages would show settings and arguments to everybody"
        yield Finding("debug", "DEBUG", problem, "Switch it off")
    if not settings.ALLOWED_HOSTS or any(map(_is_anybodys, settings.ALLOWED_HOSTS)):
        problem = "requests for any host would be answered, or none"
        yield Finding("no_allowed_hosts", "ALLOWED_HOSTS", problem, "Name the hosts that people use")
    elif settings.PUBLIC_URL and not _is_ours(urlsplit(settings.PUBLIC_URL)):
        problem = (
            "tokens would name, and security keys belong to, an address that is not served here by https"
        )
        yield Finding(
            "public_url", "PUBLIC_URL", problem, "Name https and one of ALLOWED_HOSTS, or leave it out"
        )


def _check_sign_on() -> Iterator[Finding]:
    for fault in find_faults():
        yield Finding("single_sign_on", fault.setting, fault.problem, fault.remedy)


def _check_commands() -> Iterator[Finding]:
    try:
        parse_commands(settings.MCP_COMMANDS)
    except ValueError as error:
        yield Finding("malformed_command", "MCP_COMMANDS", str(error), "Write it as docs/operations.md says")


def _check_notices() -> Iterator[Finding]:
    is_told = bool(settings.MAIL_FROM) or NoticeChannel.objects.filter(state="active").exists()
    if is_told and not settings.PUBLIC_URL:
        problem = "people are told by e-mail or in channels, and the links would lead nowhere"
        yield Finding("no_public_url", "PUBLIC_URL", problem, "Name the address at which people sign in")


def _is_anybodys(pattern: str) -> bool:
    """Return whether a pattern of hosts fits strangers': all, or those below a top-level domain."""
    return pattern == "*" or (pattern.startswith(".") and pattern.strip(".").count(".") == 0)


def _is_ours(address: SplitResult) -> bool:
    return address.scheme == "https" and validate_host(address.hostname or "", settings.ALLOWED_HOSTS)


def _check_published_versions() -> Iterator[Finding]:
    versions = AgentVersion.objects.filter(state="published", identity__state="active")
    published = list(versions.select_related("identity__owner"))
    for version in published:
        for finding in check_published(version):
            yield replace(finding, subject=f"{version}: {finding.subject}")
    if not settings.OPENAI_API_KEY and any(version.planner == "openai" for version in published):
        problem = "published agents ask a model, and there is no key for it"
        yield Finding("no_model_key", "OPENAI_API_KEY", problem, "Set the provider's key")
    for name in sorted(settings.MODEL_PROVIDERS.keys() - settings.MODEL_PROVIDER_KEYS.keys()):
        problem = f"the provider {name} would be asked without a key"
        yield Finding("no_model_key", "MODEL_PROVIDER_KEYS", problem, "Set its key, or take it out")
