"""Django's system checks show the preflight list: ``manage.py check --deploy`` in production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.db import DatabaseError

from identities.models import ChangeRule
from runs.preflight import advise_installation, check_installation


@register(Tags.security, deploy=True)
def check_preflight(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Report every finding as an error. Outside production nothing is held against a demo's keys."""
    if not settings.PRODUCTION:
        return []
    return [
        Error(finding.problem, hint=finding.remedy, obj=finding.subject, id=f"agentops.{finding.code}")
        for finding in check_installation()
    ]


@register(Tags.security, deploy=True)
def check_advice(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Warn of what the installation does without: sandboxes of servers, notes found by their meaning."""
    if not settings.PRODUCTION:
        return []
    return [
        Caution(each.problem, hint=each.remedy, obj=each.subject, id=f"agentops.{each.code}")
        for each in advise_installation()
    ]


@register(Tags.security, deploy=True)
def check_two_people(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Warn of the rules by which one person alone may loosen what governs agents."""
    if not settings.PRODUCTION:
        return []
    try:
        rules = list(ChangeRule.objects.filter(needs="one").select_related("team"))
    except DatabaseError:  # the check above says so
        return []
    return [
        Caution("one person alone may loosen this", hint="Set the rule to two_to_loosen", obj=str(rule),
                id="agentops.one_person_may_loosen")
        for rule in rules
    ]  # fmt: skip
