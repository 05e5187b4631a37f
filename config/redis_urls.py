"""One Redis address, spelt the way each client wants it."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit


def for_celery(url: str) -> str:
    """Return a redis-py address as kombu spells it: unix sockets are ``redis+socket://path?virtual_host=N``."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"
