"""URLs of databases and brokers, with one part exchanged."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

NEEDED = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")

# Enough for settings to load where nothing is going to connect: printing help, collecting tests.
PLACEHOLDERS = {
    "DATABASE_URL": "postgresql://agentops_app@/agentops",
    "DATABASE_OWNER_URL": "postgresql://agentops_owner@/agentops",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "not-a-key-nothing-is-signed-with-it",
    "AGENTOPS_DIGEST_KEY": "not-a-key-nothing-is-digested-with-it",
    "AGENTOPS_SEALING_KEYS": "none:not-a-key-nothing-is-sealed-with-it",
}


def are_given(environment: Mapping[str, str]) -> bool:
    """Whether the environment names a database (both roles) and a Redis of its own."""
    return all(environment.get(name) for name in NEEDED)


def database_name(url: str) -> str:
    """Return the database that a PostgreSQL URL names."""
    return urlsplit(url).path.lstrip("/")


def with_database(url: str, name: str) -> str:
    """Return a PostgreSQL URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def redis_database(url: str) -> int:
    """Return the number of the Redis database that a URL names, 0 by default."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if _is_socket(parts.scheme):
        return int(query.get("db") or query.get("virtual_host") or 0)
    return int(parts.path.strip("/") or query.get("db") or 0)


def with_redis_database(url: str, number: int) -> str:
    """Return a Redis or Celery broker URL with another database number."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query.pop("db", None)
    if not _is_socket(parts.scheme):
        return urlunsplit(parts._replace(path=f"/{number}", query=urlencode(query)))
    query["virtual_host" if parts.scheme == "redis+socket" else "db"] = str(number)
    # urlunsplit leaves out the empty host between the slashes, and redis-py insists on it.
    return f"{parts.scheme}://{parts.path}?{urlencode(query)}"


def _is_socket(scheme: str) -> bool:
    return scheme in {"unix", "redis+socket"}
