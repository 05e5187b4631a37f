"""Calls of tools that need a credential, on the way that every call takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from agentops.engine.breaker import Admission
from identities.models import Secret, SecretLease
from tests.cast import Cast
from tests.factories import GrantFactory, ToolVersionFactory
from tests.identities.secrets import make_secret
from tests.tools.execution import NOBODY, make_call
from tools.assessment import Assessment, assess
from tools.calls import Call
from tools.catalogue import read_spec
from tools.execution import execute
from tools.outcomes import Outcome
from tools.permits import issue_permit


def leased_call(cast: Cast, config: dict[str, Any], secret: Secret | None = None, **changes: Any) -> Call:
    """Return a call of a tool that is granted to the agent, and whose configuration names the secret."""
    secret = secret or make_secret(cast)
    fields = {
        "adapter": "http",
        "effect": "reversible",
        "amount_argument": "",
        "currency": "",
        "statement": "",
    }
    version = ToolVersionFactory.create(
        tool__team=cast.team,
        input_schema={"type": "object"},
        config={**config, "credential": secret.slug},
        **{**fields, **changes},
    )
    GrantFactory.create(identity=cast.agent, tool=version.tool)
    return make_call(read_spec(version.pk), identity_id=cast.agent.pk)


def assessed(call: Call) -> Assessment:
    return assess(call, by=NOBODY, now=timezone.now())


def carry_out(call: Call) -> Outcome:
    """Assess, permit and execute."""
    assessment = assessed(call)
    assert assessment.verdict == "ALLOW", assessment.decision
    return execute(assessment, issue_permit(assessment), Admission(allowed=True, state="closed"))[0]


def states() -> list[str]:
    """Return the states of all leases, oldest first."""
    return list(SecretLease.objects.order_by("id").values_list("state", flat=True))


def let_time_pass() -> None:
    """Make every lease and every rest as old as if ten minutes had passed."""
    long_ago = timezone.now() - timedelta(minutes=10)
    SecretLease.objects.exclude(state="ended").update(expires_at=long_ago, next_attempt_at=long_ago)
