from __future__ import annotations

import copy

import pytest

from agentops.errors import (
    AdapterError,
    AgentOpsError,
    NondeterminismError,
    OutcomeUnknown,
    Permanent,
    PolicyDenied,
    StateConflict,
    Transient,
    ValidationFailed,
)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (AgentOpsError("broken"), False),
        (AgentOpsError("broken", retryable=True), True),
        (StateConflict("already_decided", "Ann approved it."), False),
        (Transient("busy"), True),
        (Permanent("refused"), False),
        (OutcomeUnknown("lost"), True),
    ],
)
def test_an_error_carries_its_retry_class(error: AgentOpsError, retryable: bool) -> None:
    assert error.retryable is retryable


def test_code_and_detail_are_what_is_shown() -> None:
    assert str(StateConflict("already_decided", "Ann approved it.")) == "already_decided: Ann approved it."
    assert str(StateConflict("already_decided")) == "already_decided"


def test_one_handler_catches_them_all_and_the_adapters_are_a_branch() -> None:
    assert issubclass(AdapterError, AgentOpsError)
    for kind in (Transient, Permanent, OutcomeUnknown):
        assert issubclass(kind, AdapterError)


@pytest.mark.parametrize(
    "error",
    [
        AgentOpsError("broken", "badly", retryable=True),
        PolicyDenied("no_grant", "No grant.", reasons=["guardian: no", "terms: none"]),
        ValidationFailed("bad_arguments", "2 problems", problems=["a", "b"]),
        Transient("busy", retry_after_s=7.0),
        NondeterminismError("Halt", "AskPlanner"),
    ],
)
def test_errors_survive_being_copied_between_processes(error: AgentOpsError) -> None:
    twin = copy.copy(error)  # by way of __reduce_ex__, as pickle goes
    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)
