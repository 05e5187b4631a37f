"""A version and settings that lack nothing, and every way in which a version can lose a guardrail."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import LazySettings
from django.utils import timezone
from django_otp.plugins.otp_totp.models import TOTPDevice
from guardian.shortcuts import assign_perm

from identities.models import User
from runs.models import AgentVersion, Price
from tests.cast import Cast
from tests.factories import AgentVersionFactory, GrantFactory, PriceFactory, ToolVersionFactory
from tests.runs.production import LONG_KEYS
from tools.models import Tool, ToolGrant

OLD_KEY = "q7Zx2Lw9Rt4Yp1Ns6Vb3Kd8Gj5Hf0Mc2Qe7Wu4Ia9To1Py6Sx3Bn"  # one that SECRET_KEY has replaced


def make_whole_version(cast: Cast) -> AgentVersion:
    """Draft a version that lacks nothing: one read tool, one irreversible tool that Fiona approves."""
    PriceFactory.create()
    read = ToolVersionFactory.create(tool__team=cast.team, tool__name="look_up", reads=True)
    refund = ToolVersionFactory.create(tool__team=cast.team, tool__name="refund", irreversible=True)
    GrantFactory.create(identity=cast.agent, tool=read.tool)
    GrantFactory.create(identity=cast.agent, tool=refund.tool, decision="REQUIRE_APPROVAL")
    assign_perm("approve_calls", cast.finance, refund.tool)
    made: AgentVersion = AgentVersionFactory.create(identity=cast.agent, catalogue=[read, refund])
    return made


def lack_nothing(settings: LazySettings) -> LazySettings:
    """Make the settings those of a production that may start."""
    settings.PRODUCTION = True
    settings.DEMO = False
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["agents.example"]
    settings.PUBLIC_URL = "https://agents.example"
    settings.OPENAI_API_KEY = "sk-something"
    settings.SECRET_KEY = LONG_KEYS["SECRET_KEY"]
    settings.SECRET_KEY_FALLBACKS = [OLD_KEY]
    settings.AGENTOPS_DIGEST_KEY = LONG_KEYS["AGENTOPS_DIGEST_KEY"]
    settings.AGENTOPS_SEALING_KEYS = [LONG_KEYS["AGENTOPS_SEALING_KEYS"]]
    return settings


def change(rows: Any, **values: Any) -> Callable[[Cast], None]:
    return lambda cast: rows(cast).update(**values)


def agents(cast: Cast) -> Any:
    return type(cast.agent).objects.filter(pk=cast.agent.pk)


def versions(cast: Cast) -> Any:
    return cast.agent.versions.all()


def tool(name: str) -> Callable[[Cast], Any]:
    return lambda cast: Tool.objects.filter(team=cast.team, name=name)


def grants(name: str) -> Callable[[Cast], Any]:
    return lambda cast: ToolGrant.objects.filter(identity=cast.agent, tool__name=name, state="active")


def regrant(name: str, **terms: Any) -> Callable[[Cast], None]:
    """Put other terms in the place of a grant's."""

    def replace(cast: Cast) -> None:
        grants(name)(cast).update(state="superseded")
        GrantFactory.create(identity=cast.agent, tool=Tool.objects.get(name=name), **terms)

    return replace


def lose_fiona(cast: Cast) -> None:
    User.objects.filter(pk=cast.fiona.pk).update(is_active=False)


def leave_group(cast: Cast) -> None:
    cast.fiona.groups.clear()


def lose_device(cast: Cast) -> None:
    TOTPDevice.objects.filter(user=cast.fiona).update(confirmed=False)


def own_the_agent(cast: Cast) -> None:
    agents(cast).update(owner=cast.fiona)


def long_ago() -> Any:
    return timezone.now() - timedelta(days=1)


SPOILED: list[tuple[Callable[[Cast], None], str]] = [
    (change(versions, max_steps=None), "no_budget"),
    (change(versions, max_tokens=None), "no_budget"),
    (change(versions, max_usd=None), "no_budget"),
    (change(versions, max_seconds=None), "no_budget"),
    (change(versions, max_usd=0), "no_budget"),
    (change(versions, max_steps=0), "no_budget"),
    (change(versions, principal_source=""), "no_principal_source"),
    (change(versions, run_expires_after_s=None), "no_expiry"),
    (change(versions, repeat_limit=1), "no_loop_detection"),
    (change(versions, repeat_limit=25), "no_loop_detection"),
    (change(versions, model="unpriced"), "no_price"),
    (change(lambda _: Price.objects.all(), active=False), "no_price"),
    (change(agents, state="suspended"), "agent_not_active"),
    (change(agents, state="draft"), "agent_not_active"),
    (change(agents, expires_at=long_ago()), "agent_expired"),
    (change(lambda cast: User.objects.filter(pk=cast.alice.pk), is_active=False), "owner_inactive"),
    (change(tool("look_up"), state="quarantined"), "tool_not_in_service"),
    (change(tool("look_up"), state="retired"), "tool_not_in_service"),
    (change(grants("look_up"), state="revoked"), "no_grant"),
    (regrant("look_up", decision="DENY"), "grant_denies"),
    (regrant("look_up", valid_until=long_ago()), "grant_expired"),
    (regrant("refund", decision="ALLOW"), "irreversible_without_human"),
    (regrant("refund", decision="ALLOW_WITH_CAPS"), "irreversible_without_human"),
    (lose_fiona, "no_approver"),
    (leave_group, "no_approver"),
    (lose_device, "no_approver"),
    (own_the_agent, "no_approver"),
]
