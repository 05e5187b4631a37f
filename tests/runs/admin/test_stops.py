"""What was stopped is named as people know it, to those who may see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from django.utils.text import capfirst

from identities.models import KillSwitch, Principal, User
from identities.services import issue_api_key
from runs.models import Stop
from runs.stops import stop
from runs.targets import name_targets
from tests.cast import Cast
from tests.factories import RunFactory, ToolFactory

pytestmark = pytest.mark.django_db


def agent_of(cast: Cast) -> tuple[Any, str]:
    return cast.agent, cast.agent.name


def tool_of(cast: Cast) -> tuple[Any, str]:
    tool = ToolFactory.create(team=cast.team, name="refund")
    return tool, "refund"


def application_of(cast: Cast) -> tuple[Any, str]:
    return cast.application, cast.application.name


def run_of(cast: Cast) -> tuple[Any, str]:
    run = RunFactory.create(identity=cast.agent)
    return run, f"{cast.agent.name} · {str(run.pk)[-8:]}"


def principal_of(cast: Cast) -> tuple[Any, str]:
    principal = Principal.objects.create(
        team=cast.team, issuer="https://shop.example", subject="ann@shop.example"
    )
    return principal, "ann@shop.example"


def key_of(cast: Cast) -> tuple[Any, str]:
    key, _ = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="Website")
    return key, f"{key.label} · {key.key_id}"


SCOPES: dict[str, Callable[[Cast], tuple[Any, str]]] = {
    "agent": agent_of,
    "tool": tool_of,
    "application": application_of,
    "run": run_of,
    "principal": principal_of,
    "credential": key_of,
}


def drill(cast: Cast, scope: str, target: str) -> Stop:
    return Stop.objects.create(
        scope=scope, target=target, is_drill=True, stopped_at=timezone.now(), stopped_by=cast.ada
    )


def named(made: Stop, person: User) -> str:
    return str(name_targets(Stop.objects.filter(pk=made.pk), person).get())


@pytest.mark.parametrize("scope", SCOPES)
def test_a_target_is_named_to_those_who_may_see_it(cast: Cast, scope: str) -> None:
    subject, name = SCOPES[scope](cast)
    made = drill(cast, scope, str(subject.pk))
    assert named(made, cast.alice) == f"{capfirst(made.get_scope_display())} {name} (drill)"
    assert str(subject.pk) in named(made, cast.charlie), "nobody is told a name of another team"


def test_what_is_no_row_is_named_by_itself(cast: Cast) -> None:
    assert named(drill(cast, "everything", ""), cast.ada) == "Everything (drill)"
    assert named(drill(cast, "provider", "openai"), cast.ada) == "Model provider openai (drill)"


def test_a_switch_is_named_alike(cast: Cast) -> None:
    principal, name = principal_of(cast)
    stop(actor=cast.ada, scope="principal", target=str(principal.pk), reason="Stolen.", drill=False)
    assert str(name_targets(KillSwitch.objects.all(), cast.ada).get()) == f"End user {name}"
