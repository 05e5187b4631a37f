"""Which verbs ask for a fresh second factor: what gives something, or takes it away for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.request import Request

from agentops.errors import AgentOpsError
from identities.api.authentication import caller
from identities.factors import has_fresh_factor
from identities.models import User
from identities.services import issue_api_key
from runs.stops import STOPPINGS, stop
from tests.cast import Cast
from tests.factories import PrincipalFactory
from tests.verbs import DEEDS, key_of, run_of, tool_of, verbs, version_of

# What only stops must stay within reach; the rest gives nobody anything that they did not have.
UNASKED = {
    "suspend_agent", "throw_switch", "stop_api_key", "quarantine_tool", "force_breaker_open", "stop",
    "pause_run", "cancel_run", "kill_run", "veto_call", "redrive_letter", "discard_letter", "retire_version",
    "release_memory", "revert_memory", "delete_memory",
    "create_agent", "open_campaign", "create_application", "create_team", "update_team",
    "create_tool", "add_version", "reset_breaker", "reset_model_breaker", "draft_version",
    "create_table", "save_table", "import_table", "retire_table",
    "disable_channel", "try_channel", "send_again",
    "evaluate", "stop_evaluation",
    "create_schedule", "change_schedule", "pause_schedule", "resume_schedule", "end_schedule",
    "end_absence", "start_run", "resume_run", "add_message", "answer_input", "settle_outcome",
    "erase_run", "erase_principal", "claim_handover", "release_handover", "answer_handover", "close_handover",
    "withdraw", "set_rule",  # to loosen a rule waits for a second person, who is asked
}  # fmt: skip


def stale(person: User) -> User:
    """Return a person as a request finds them whose session gave its factor long ago."""
    found: User = User.objects.get(pk=person.pk)
    found.factor_is_fresh = lambda: False
    return found


def test_every_verb_has_a_line() -> None:
    assert verbs() == set(DEEDS)
    assert set(DEEDS) > UNASKED


def test_a_stale_factor_stops_what_gives_or_ends_for_good(cast: Cast) -> None:
    asked = set()
    for verb, deed in DEEDS.items():
        with transaction.atomic():
            try:
                deed(cast, stale(cast.ada))
            except AgentOpsError as error:
                asked |= {verb} if error.code == "second_factor_required" else set()
            transaction.set_rollback(True)
    assert asked == set(DEEDS) - UNASKED


@pytest.mark.parametrize("scope", STOPPINGS)
def test_no_stop_asks_for_a_factor(cast: Cast, scope: str) -> None:
    targets: dict[str, Callable[[], object]] = {
        "run": lambda: run_of(cast).pk,
        "agent": lambda: cast.agent.pk,
        "tool": lambda: tool_of(cast).pk,
        "application": lambda: cast.application.pk,
        "principal": lambda: PrincipalFactory.create(team=cast.team).pk,
        "credential": lambda: key_of(cast).pk,
        "provider": lambda: version_of(cast).planner,
        "everything": lambda: "",
    }
    assert not stop(actor=stale(cast.ada), scope=scope, target=str(targets[scope]()), reason="Now.").is_drill


@pytest.mark.parametrize(("seconds", "fresh"), [(None, False), (-1, False), (30, True)])
def test_a_key_is_fresh_while_its_window_is_open(cast: Cast, seconds: int | None, fresh: bool) -> None:
    key, _ = issue_api_key(actor=cast.bob, user=cast.bob, label="laptop")
    key.verified_until = None if seconds is None else timezone.now() + timedelta(seconds=seconds)
    request = Request(RequestFactory().post("/api/v1/stops", REMOTE_ADDR="203.0.113.9"))
    request.user, request.auth = key.user, key
    assert has_fresh_factor(caller(request)) is fresh
