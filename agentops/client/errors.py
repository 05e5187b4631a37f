"""What the API says when it says no."""

from __future__ import annotations

import json
from typing import Any

import httpx2


class ApiError(Exception):
    """A refusal (RFC 9457): branch on `code`, which does not change; `reasons` lists every rule that said no.

    `retry_after`: in how many seconds to ask again, where the answer says so.
    """

    def __init__(
        self, status: int, code: str, detail: str, reasons: list[dict[str, Any]]
    ) -> None:  # Any: JSON
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.reasons = status, code, detail, reasons
        self.retry_after: float | None = None

    @classmethod
    def of(cls, answer: httpx2.Response) -> ApiError:
        """Return what an answer that was read says; one that is no problem document comes from something in between."""
        try:
            problem = json.loads(answer.content)
            error = cls(answer.status_code, problem["code"], problem["detail"], problem.get("reasons", []))
        except (ValueError, TypeError, KeyError):
            error = cls(answer.status_code, "no_problem_document", answer.text[:200], [])
        after = answer.headers.get("Retry-After", "")
        error.retry_after = float(after) if after.isdecimal() else None
        return error
