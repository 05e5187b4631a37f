"""What a request that only looks asks once: its page asks for the same rights again and again, one panel after another.

What acts reads anew each time: nothing that is decided is decided by what was read before.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

Answer = TypeVar("Answer")

# What a request that only looks has found; None where each look is a fresh one. Any: each key's own answer.
_seen: ContextVar[dict[Hashable, Any] | None] = ContextVar("seen", default=None)


class LookOnce:
    """Middleware: a request that changes nothing looks at a thing once."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        token = _seen.set({} if request.method in ("GET", "HEAD") else None)
        try:
            return self._get_response(request)
        finally:
            _seen.reset(token)


def look_once(key: Hashable, read: Callable[[], Answer]) -> Answer:
    """Return what ``read`` returns, or has returned to this request under the same key."""
    seen = _seen.get()
    if seen is None:
        return read()
    if key not in seen:
        seen[key] = read()
    answer: Answer = seen[key]
    return answer
