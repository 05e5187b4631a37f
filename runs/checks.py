"""Django's system checks show the preflight list: ``manage.py check --deploy`` in production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from runs.preflight import check_installation


@register(Tags.security, deploy=True)
def check_preflight(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Report every finding as an error. Outside production nothing is held against a demo's keys."""
    if not settings.PRODUCTION:
        return []
    return [
        Error(finding.problem, hint=finding.remedy, obj=finding.subject, id=f"agentops.{finding.code}")
        for finding in check_installation()
    ]
