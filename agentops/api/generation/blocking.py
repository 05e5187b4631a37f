"""The blocking half of the client, made of the half that is awaited: the same words without ``await``."""

from __future__ import annotations

import re

WORDS = {
    "async def ": "def ",
    "async with ": "with ",
    "async for ": "for ",
    "await ": "",
    "AsyncGenerator": "Generator",
    "aclosing": "closing",
    "Awaitable, ": "",
    "Awaitable[Any]": "Any",
    "aread": "read",
    "httpx2.AsyncClient": "httpx2.Client",
    "AsyncOperations": "Operations",
    "AsyncClient": "Client",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "aiter_lines": "iter_lines",
    "asyncio.sleep": "time.sleep",
    "import asyncio": "import time",
    "to be awaited": "blocking",
}
NOTE = "Written from waiting.py by ``write_openapi``: do not edit."


def write_blocking(source: str) -> str:
    """Return the module with each word in its blocking form."""
    pattern = re.compile("|".join(map(re.escape, sorted(WORDS, key=len, reverse=True))))
    text = pattern.sub(lambda found: WORDS[found.group()], source)
    first, rest = text.split('"""\n', 1)
    return f'{first} {NOTE}"""\n{rest}'
