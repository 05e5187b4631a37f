"""Settings that are taken as they stand, and so wide or so long that what they bound is bound no more."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from django.conf import settings

from runs.preflight.findings import Finding

WIDEST = {4: 8, 6: 7}  # 10.0.0.0/8 and fc00::/7: no network inside is wider
LONGEST_IDLE_S = 8 * 3600  # the longest session
MOST_A_MINUTE = 100_000
RAREST_CHECKPOINT_S = 3600.0
OURS = frozenset({"agentops", "approvals", "config", "identities", "runs", "tools", "django"})


def check_weak() -> Iterator[Finding]:
    """Yield each setting that switches off what it is there to set."""
    yield from _check_networks()
    yield from _check_modules()
    yield from _check_origins()
    yield from _check_limits()
    if not 0 < settings.SESSION_IDLE_S <= LONGEST_IDLE_S:
        problem = "a session that nobody sits at would stay open for as long as any may"
        yield Finding("idle_sessions", "SESSION_IDLE_S", problem, f"Set 1 to {LONGEST_IDLE_S} seconds")
    if not 0 < settings.LEDGER_CHECKPOINT_EVERY_S <= RAREST_CHECKPOINT_S:
        problem = "what was written since the last checkpoint could be written anew, and nobody would find it"
        remedy = f"Set at most {RAREST_CHECKPOINT_S:g} seconds"
        yield Finding("rare_checkpoints", "LEDGER_CHECKPOINT_EVERY_S", problem, remedy)


def _check_networks() -> Iterator[Finding]:
    for network in settings.OUTGOING_PRIVATE_NETWORKS:
        if network.prefixlen < WIDEST[network.version]:
            problem = f"{network} is wider than any network inside: tools could reach whatever there is"
            yield Finding("wide_networks", "OUTGOING_PRIVATE_NETWORKS", problem, "Name the networks meant")


def _check_modules() -> Iterator[Finding]:
    for module in settings.TOOLS_PYTHON_MODULES:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top in OURS:
            problem = f"whoever defines a tool could have {module} do anything here"
            remedy = "Name modules that were written to be tools"
            yield Finding("open_modules", "TOOLS_PYTHON_MODULES", problem, remedy)


def _check_origins() -> Iterator[Finding]:
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        host = origin.partition("://")[2]
        if not origin.startswith("https://") or (host.startswith("*") and host.count(".") < 2):
            problem = f"forms of {origin} would be taken for ours: strangers may be there"
            yield Finding("open_origins", "CSRF_TRUSTED_ORIGINS", problem, "Name https and a host of yours")


def _check_limits() -> Iterator[Finding]:
    for name, (quota, _) in settings.RATE_LIMITS.items():
        if not 0 < quota <= MOST_A_MINUTE:
            problem = f"{quota} a minute limits nothing, or lets nobody in ({name})"
            yield Finding("no_rate_limit", "RATE_LIMITS", problem, f"Set 1 to {MOST_A_MINUTE}")
