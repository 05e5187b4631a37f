"""Characters that hide or turn round what people read, shown as their codes on every page, whoever wrote them.

What is stored stays as it is. So does what a form holds, for it is sent back: a field is no place to read strangers'
words in, and of what somebody edits the page shows the difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from agentops.text import HIDDEN, code_of

_HIDDEN = re.compile(f"[{HIDDEN}]")
# Markup is ours, and what it holds of others is escaped: no text of theirs ends a tag.
_KEPT_OR_HIDDEN = re.compile(
    rf"(<(textarea|script|style)\b.*?</\2>|<(?:input|option|button)\b[^>]*>)|[{HIDDEN}]", re.DOTALL
)


class SpellOut:
    """Middleware: see the module."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        response = self._get_response(request)
        if isinstance(response, HttpResponse) and response.get("Content-Type", "").startswith("text/html"):
            page = response.content.decode(response.charset)
            if _HIDDEN.search(page):  # hardly ever
                response.content = spell_out_page(page)
        return response


def spell_out_page(page: str) -> str:
    """Return a page, or a part of one, with the codes of what cannot be seen in it."""
    return _KEPT_OR_HIDDEN.sub(lambda found: found[1] or code_of(found[0]), page)
