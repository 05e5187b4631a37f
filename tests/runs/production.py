"""Commands in a production environment that lacks nothing but what a test takes away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONG_KEYS = {
    "SECRET_KEY": "Zr8vQ1xW4nT7kB2mY5pL9cD3gH6jF0sAqEuIoXyRzNtMbVwKdPa8h",
    "AGENTOPS_DIGEST_KEY": "b9K3rT6yU1iO4pA7sD0fG2hJ5kL8zX3cV6bN9mQwErTyUiOpAsWq7d",
    "AGENTOPS_SEALING_KEYS": "first:Hk4sP8wE2rT6yU0iO3aS7dF1gJ5lZ9xC4vB8nM2qQeWtRyUpIoAzXs",
}


def production_environment(**changes: str) -> dict[str, str]:
    """Return a good environment on this worker's databases, with these changes."""
    good = {**LONG_KEYS, "AGENTOPS_ENV": "production", "ALLOWED_HOSTS": "agents.example"}
    return {**os.environ, **good, **changes}


def run_in_production(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments to its end."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=production_environment(**changes),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
