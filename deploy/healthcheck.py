"""Health checks of the containers: ``healthcheck.py web|beat``. The worker answers Celery's own ping."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from pathlib import Path

BEAT_SCHEDULE = Path("/tmp/beat-schedule")  # noqa: S108 - the container's own tmpfs
# Celery's beat writes its schedule every three minutes.
STALE_S = 600


def web_is_healthy() -> bool:
    """Whether the web server can reach database and Redis."""
    host = os.environ["ALLOWED_HOSTS"].split(",")[0].lstrip(".*") or "localhost"
    request = urllib.request.Request("http://127.0.0.1:8000/readyz", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - our own http address
        return bool(response.status == 200)


def beat_is_healthy() -> bool:
    """Whether beat has written its schedule lately."""
    return any(
        time.time() - path.stat().st_mtime < STALE_S
        for path in BEAT_SCHEDULE.parent.glob(f"{BEAT_SCHEDULE.name}*")
    )


if __name__ == "__main__":
    sys.exit(0 if {"web": web_is_healthy, "beat": beat_is_healthy}[sys.argv[1]]() else 1)
