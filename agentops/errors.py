"""The one tree of errors. Each carries a stable code, words for people, and whether trying again may help.

The API maps codes to RFC 9457 problems, the driver maps them to outcomes. ``detail`` may be shown to the
caller and to the model, so it holds no secrets, no stack and no SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class AgentOpsError(Exception):
    """Report a refusal or a failure: `code` for programs, `detail` for people."""

    default_retryable: ClassVar[bool] = False

    def __init__(self, code: str, detail: str = "", retryable: bool | None = None) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.retryable = self.default_retryable if retryable is None else retryable

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class NotFound(AgentOpsError):
    """Nothing by that name is visible to this actor."""


class StateConflict(AgentOpsError):
    """The thing exists and the actor may, but not in its present state."""


class PolicyDenied(AgentOpsError):
    """A rule says no; `reasons` lists every rule that was looked at."""

    def __init__(self, code: str, detail: str = "", *, reasons: Sequence[str] = ()) -> None:
        super().__init__(code, detail)
        self.reasons = tuple(reasons)


class ValidationFailed(AgentOpsError):
    """The input is not what was agreed; `problems` names each place."""

    def __init__(self, code: str, detail: str = "", *, problems: Sequence[Any] = ()) -> None:
        super().__init__(code, detail)
        self.problems = tuple(problems)  # Any: each API words its problems in its own value type


class Overloaded(AgentOpsError):
    """There is too much to do at the moment, and nothing was begun; ``retry_after_s`` says when to come again."""

    default_retryable = True

    def __init__(self, code: str, detail: str = "", *, retry_after_s: int) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class ApprovalRequired(AgentOpsError):
    """A person has to decide first."""


class ConfirmationRequired(ApprovalRequired):
    """The end user has to confirm it first."""


class NondeterminismError(AgentOpsError):
    """A replay decided something else than what is recorded."""

    def __init__(self, expected: object, recorded: object) -> None:
        super().__init__("nondeterminism", f"expected {expected}, recorded {recorded}")
        self.args = (expected, recorded)  # what a copy is rebuilt from
        self.expected = expected
        self.recorded = recorded


class AdapterError(AgentOpsError):
    """A tool's own word on what became of a call. Raise one of the three below."""


class Transient(AdapterError):
    """It surely had no effect, and may work later; `retry_after_s` in seconds if the tool knows."""

    default_retryable = True

    def __init__(self, code: str, detail: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(code, detail)
        self.retry_after_s = retry_after_s


class Permanent(AdapterError):
    """It surely had no effect, and the same call will not work later: a business refusal."""


class OutcomeUnknown(AdapterError):
    """It may have had its effect: repeated only under a key that the tool honours, never blindly."""

    default_retryable = True
