"""One thing that stands against publishing or starting, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

# These keep a version from being published. A version published before is merely out of service by them:
# they can only deny, so they do not keep an installation from starting.
OUT_OF_SERVICE = frozenset(
    {
        "agent_not_active",
        "agent_expired",
        "tool_not_in_service",
        "no_grant",
        "no_lookup",
        "grant_denies",
        "grant_expired",
    }
)
# What is published already goes on: this is said before something begins.
ONLY_BEFORE = frozenset({"lint_errors", "not_evaluated", "evaluation_failed"})


@dataclass(frozen=True, slots=True)
class Finding:
    """``code`` for programs; who or what it is about, what is wrong and what to do, in plain words."""

    code: str
    subject: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}. {self.remedy}."
