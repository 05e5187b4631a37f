"""What the API refuses by itself.

A module of its own: DRF imports the parsers while it is being imported, and they raise this.
"""

from __future__ import annotations

from collections.abc import Sequence

from rest_framework.exceptions import APIException

from agentops.api.problem_document import Reason


class ApiError(APIException):
    """A refusal by the API itself, before any service is asked."""

    def __init__(self, status: int, code: str, detail: str, *, reasons: Sequence[Reason] = ()) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.reasons = tuple(reasons)
