"""The platform as it runs in production: a web server, a worker and beat as processes, on this worker's databases."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentops.runtime import application, local_keys, service_urls
from agentops.runtime.ports import LOOPBACK, free_ports
from agentops.runtime.services import Stack

GIVEN = (*service_urls.NEEDED, "BROKER_URL", *local_keys.NAMES)


@dataclass(frozen=True)
class LivePlatform:
    """Where the platform answers, and the stack that its processes belong to."""

    url: str
    stack: Stack

    @property
    def api(self) -> str:
        return f"{self.url}/api/v1"


@contextmanager
def live_platform(data: Path, environment: Mapping[str, str] = {}) -> Iterator[LivePlatform]:
    """Start web, worker and beat on the databases of this test worker; stop them at the end."""
    with worker_stack(data, environment) as stack:
        port = free_ports(1)[0]
        application.spawn_worker(stack)
        application.spawn_beat(stack)
        application.spawn_web(stack, port)
        yield LivePlatform(f"http://{LOOPBACK}:{port}", stack)


@contextmanager
def worker_stack(data: Path, environment: Mapping[str, str] = {}) -> Iterator[Stack]:
    """Provide a stack for processes on the databases of this test worker; stop them at the end."""
    with Stack(data, durable=False) as stack:
        stack.variables |= {name: os.environ[name] for name in GIVEN if os.environ.get(name)}
        stack.variables |= {"AGENTOPS_ENV": "test", "AXES_ENABLED": "0", **environment}
        yield stack
