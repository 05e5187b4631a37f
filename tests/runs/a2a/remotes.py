"""Agents elsewhere as the company takes them over, and how its runs get on with them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from runs.models import Run
from tests.runs.company import Company
from tests.runs.gateway.test_everything import free_port
from tools.models import ServerTool, ToolServer, ToolVersion
from tools.services import (
    ServerDefinition,
    Takeover,
    ToolDefinition,
    add_version,
    create_server,
    import_tool,
    refresh_server,
)

QUICK: dict[str, Any] = {"backoff_base_s": 0.001, "backoff_cap_s": 0.002}  # Any: fields of a definition


@dataclass
class Far:
    """Somebody else's agent in a process of its own, and what reached it."""

    url: str
    log: Path

    def took(self) -> list[str]:
        return [line for line in self.lines() if line.startswith("took")]

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def let_go(self) -> None:
        self.log.with_suffix(".go").touch()


@contextmanager
def far_agent(folder: Path) -> Iterator[Far]:
    """Start the agent; end it at the end."""
    port, log = free_port(), folder / "far.log"
    started = subprocess.Popen([sys.executable, "-m", "tests.runs.a2a.far", str(port), str(log)])
    try:
        far = Far(f"http://127.0.0.1:{port}", log)
        wait_for(lambda: answers(far.url), 60)
        yield far
    finally:
        started.terminate()
        started.wait(30)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/.well-known/agent-card.json").status_code == 200
    except httpx.TransportError:
        return False


def wait_for(holds: Callable[[], bool], within_s: float = 60) -> None:
    """Wait until something holds."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


def add_server(company: Company, url: str, slug: str = "far", **definition: Any) -> ToolServer:
    """Name an agent elsewhere, and read its card."""
    cast = company.cast
    server = create_server(
        actor=cast.alice, team=cast.team, slug=slug,
        definition=ServerDefinition("a2a", url=url, allow_private=True, **definition),
    )  # fmt: skip
    return refresh_server(actor=cast.alice, server=server)


def take_over(
    company: Company,
    server: ToolServer,
    *,
    effect: str = "reversible",
    config: dict[str, Any] | None = None,
    **more: Any,
) -> ToolVersion:  # Any: JSON; what a person decides
    """Take its one skill over as `delegate`, allowed; ``config`` is what a person says beside the card."""
    [row] = ServerTool.objects.filter(server=server)
    terms = {**QUICK, "timeout_s": 10.0, **more.pop("terms", {})}
    takeover = Takeover("delegate", effect, statement="ask the far agent", terms=terms, **more)
    version = import_tool(actor=company.cast.alice, described=row, takeover=takeover, seen=row.digest)
    if config:
        version = say_beside(company, version, config, terms)
    company.versions.append(version)
    company.grant(version.tool, "ALLOW")
    return version


def say_beside(
    company: Company, version: ToolVersion, config: dict[str, Any], terms: dict[str, Any]
) -> ToolVersion:
    """Make a version by hand that says something beside the card."""
    copied = ("description", "effect", "idempotency", "adapter", "input_schema", "output_schema", "statement")
    definition = ToolDefinition(
        **{name: getattr(version, name) for name in copied}, config={**version.config, **config}, **terms
    )
    return add_version(actor=company.cast.alice, tool=version.tool, definition=definition)


def ended(run: Run, within_s: float = 60) -> Run:
    """Return a run once it has ended."""

    def has_ended() -> bool:
        run.refresh_from_db()
        return run.has_ended

    wait_for(has_ended, within_s)
    return run
