"""Whether this process serves, and whether what it needs is there."""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

TIMEOUT_S = 2.0


@require_safe
def serve_liveness(request: HttpRequest) -> HttpResponse:
    """Answer 200: the process serves. Asks nothing of others, whose failure a restart would not mend."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def serve_readiness(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database and Redis answer, else 503 with the one that does not."""
    checks: dict[str, Callable[[], None]] = {"database": _ask_database, "redis": _ask_redis}
    found = {name: _answers(check) for name, check in checks.items()}
    return JsonResponse(
        {name: "ok" if answers else "unavailable" for name, answers in found.items()},
        status=200 if all(found.values()) else 503,
        headers={"Cache-Control": "no-store"},
    )


def _answers(check: Callable[[], None]) -> bool:
    try:
        check()
    except (DatabaseError, redis.RedisError, OSError):
        return False
    return True


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=TIMEOUT_S) as client:
        client.ping()
