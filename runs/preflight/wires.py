"""Wires to the servers: over one that others may listen to, all is encrypted, and the server proves who it is."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from runs.preflight.findings import Finding

PROVEN = ("verify-ca", "verify-full")


def check_wires() -> Iterator[Finding]:
    """Yield each server on another machine to which the wire is open, or whose name nobody checks."""
    database = settings.DATABASES["default"]
    mode = database["OPTIONS"].get("sslmode", "prefer")
    hosts = str(database["HOST"]).split(",")  # libpq takes several
    if mode not in PROVEN and not all(map(_is_here, hosts)):
        problem = f"{database['HOST']} is asked with sslmode={mode}: whoever is between could read and answer"
        yield Finding("open_wire", "DATABASE_URL", problem, "Add ?sslmode=verify-full (and sslrootcert)")
    for name, url in {"REDIS_URL": settings.REDIS_URL, "BROKER_URL": settings.CELERY_BROKER_URL}.items():
        if not _is_proven(url):
            problem = (
                f"{urlsplit(url).hostname} is asked openly, or whoever it is: whoever is between could answer"
            )
            yield Finding("open_wire", name, problem, "Write rediss://, and leave its certificate checked")
    yield from _check_providers()


def _check_providers() -> Iterator[Finding]:
    """Yield each further provider of models that is asked in the open: prompts and keys go there."""
    for name, url in settings.MODEL_PROVIDERS.items():
        parts = urlsplit(url)
        if parts.scheme != "https" and not _is_here(parts.hostname or ""):
            problem = f"the provider {name} is asked openly: whoever is between reads prompts and its key"
            yield Finding("open_wire", "MODEL_PROVIDERS", problem, "Write https://")


def _is_proven(url: str) -> bool:
    parts = urlsplit(url)
    checks = parse_qs(parts.query).get("ssl_cert_reqs", ["required"])
    is_checked = all(check.lower().removeprefix("cert_") == "required" for check in checks)
    return _is_here(parts.hostname or "") or (parts.scheme == "rediss" and is_checked)


def _is_here(host: str) -> bool:
    """Return whether a host is this machine, or a name without a domain: that of a network of containers."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.startswith("/") or host == "localhost" or "." not in host
