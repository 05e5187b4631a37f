"""The processes of the application in the local stack, and what they are told about each other."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.request
from dataclasses import asdict, dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path

from agentops.runtime import local_keys, service_urls
from agentops.runtime.ports import LOOPBACK, accepts, free_ports, is_free
from agentops.runtime.processes import Process, StackError
from agentops.runtime.services import Stack

OWN = (*service_urls.NEEDED, "BROKER_URL", *local_keys.NAMES)
CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "config")
QUEUES = "critical,high,normal,bulk"
URGENT_QUEUES = "critical,high"
PORTS_FILE = "demo-ports.json"
SCRIPTED_KEY = "scripted-planner-needs-no-key"  # tells the scripted planner from a real provider
CONCURRENCY = "64"  # threads: a run that waits for a model needs one, and little else
URGENT_CONCURRENCY = "8"
NICE = "10"  # of the worker that takes everything: in a burst what is urgent has the processor first
WEB_GRACE_S = "5"  # for requests under way; an open event stream would never end by itself
WORKER_GRACE_S = 15.0
WORKER_VARIABLES = {
    # Root is usual in a container, and this worker listens to nobody outside the machine.
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
}
WEB_VARIABLES = {
    # Of style sheets and the like, which here WhiteNoise reads from where they are: small, and soon in memory.
    "PYTHONWARNINGS": "ignore:StreamingHttpResponse must consume synchronous iterators",
}


@dataclass(frozen=True)
class DemoPorts:
    """Where the demo company's servers listen."""

    shop: int
    planner: int

    @classmethod
    def choose(cls, data: Path) -> DemoPorts:
        """Return the ports of this data directory, others where these are busy now.

        The shop's address stands in the published tools, which runs that are under way keep using: another
        port would leave them without their shop. Chosen before load_demo runs, for the same reason.
        """
        kept = data / PORTS_FILE
        with contextlib.suppress(OSError, ValueError, TypeError):
            ports = cls(**json.loads(kept.read_text()))
            if is_free(ports.shop) and is_free(ports.planner):
                return ports
        ports = cls(*free_ports(2))
        kept.write_text(json.dumps(asdict(ports)))
        return ports


def start_servers(stack: Stack) -> None:
    """Start the servers that the environment does not name.

    Raises StackError when DATABASE_URL comes without the owner's URL, which migrations need.
    """
    if not os.environ.get("DATABASE_URL"):
        stack.start_postgres()
    elif not os.environ.get("DATABASE_OWNER_URL"):
        raise StackError("DATABASE_URL is set: set DATABASE_OWNER_URL too, for the migrations")
    if not os.environ.get("REDIS_URL"):
        stack.start_valkey()


def configure(stack: Stack, ports: DemoPorts) -> None:
    """Tell every process of the stack what kind of stack it is and where the demo's servers are."""
    stack.variables |= {
        "AGENTOPS_ENV": os.environ.get("AGENTOPS_ENV") or "development",
        "AGENTOPS_DATA": str(stack.data),
        "AGENTOPS_DEMO": os.environ.get("AGENTOPS_DEMO") or "1",
        "DEMO_SHOP_URL": f"http://{LOOPBACK}:{ports.shop}",
    }
    # Servers and keys of one's own win, and have to be known to commands in other terminals too.
    stack.variables |= {name: os.environ[name] for name in OWN if os.environ.get(name)}
    if uses_scripted_planner():
        stack.variables |= {
            "OPENAI_BASE_URL": f"http://{LOOPBACK}:{ports.planner}/v1",
            "OPENAI_API_KEY": SCRIPTED_KEY,
        }


def uses_scripted_planner() -> bool:
    """Whether the demo's own planner stands in for a model."""
    return not os.environ.get("OPENAI_API_KEY")


def prepare_database(stack: Stack) -> None:
    """Migrate and load the demo company; both can be repeated."""
    stack.migrate()
    stack.run("load_demo", [sys.executable, "manage.py", "load_demo"])


def spawn_demo_servers(stack: Stack, ports: DemoPorts) -> None:
    """Start the shop and, without an API key, the scripted planner; return when both listen."""
    servers = {"shop": ports.shop}
    if uses_scripted_planner():
        servers["planner"] = ports.planner
    started = [
        (stack.spawn(name, [sys.executable, "-m", f"agentops.demo.{name}", "--port", str(port)]), port)
        for name, port in servers.items()
    ]
    for process, port in started:
        stack.wait_ready(partial(accepts, port), process)


def spawn_worker(stack: Stack) -> Process:
    """Start the Celery worker, which gives way to what is urgent; it gets time to end the steps in its hands."""
    argv = [*CELERY, "worker", "-P", "threads", "-c", CONCURRENCY, "-Q", QUEUES]
    return stack.spawn("worker", argv, env=WORKER_VARIABLES | {"WORKER_NICE": NICE}, grace_s=WORKER_GRACE_S)


def spawn_urgent_worker(stack: Stack) -> Process:
    """Start a second worker, for what is urgent alone: in a burst the first one's interpreter is busy with the rest."""
    argv = [*CELERY, "worker", "-P", "threads", "-c", URGENT_CONCURRENCY, "-n", "urgent@%h"]
    return stack.spawn("urgent", [*argv, "-Q", URGENT_QUEUES], env=WORKER_VARIABLES, grace_s=WORKER_GRACE_S)


def spawn_beat(stack: Stack) -> Process:
    """Start the Celery scheduler; its state is a cache and lives in the data directory."""
    schedule = ["--schedule", str(stack.data / "beat-schedule"), "--pidfile", ""]
    return stack.spawn("beat", [*CELERY, "beat", *schedule])


def spawn_web(stack: Stack, port: int) -> Process:
    """Start the web server on the loopback interface; return when it answers /readyz."""
    process = stack.spawn("web", web_argv(port), env=WEB_VARIABLES)
    stack.wait_ready(lambda: answers(f"http://{LOOPBACK}:{port}/readyz"), process)
    return process


def web_argv(port: int) -> list[str]:
    """Return the command of a web server; an open event stream must not hold up its stop."""
    server = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--no-access-log"]
    address = ["--host", LOOPBACK, "--port", str(port)]
    return [*server, *address, "--lifespan", "off", "--timeout-graceful-shutdown", WEB_GRACE_S]


def answers(address: str) -> bool:
    """Whether a GET of the address succeeds."""
    try:
        with urllib.request.urlopen(address, timeout=2) as response:  # noqa: S310 - our own http address
            return bool(response.status == 200)
    # URLError is an OSError. A port that nobody listens at yet may be drawn for the asking end itself, which then
    # hears its own question: no answer in HTTP.
    except (OSError, HTTPException):
        return False
