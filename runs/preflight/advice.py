"""What an agent version may do without, and is safer with: said beside what it lacks, and keeping it from nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec

from django.conf import settings

from runs.models import EXTERNAL, AgentVersion
from runs.preflight.embeddings import advise_embeddings
from runs.preflight.findings import Finding
from tools.commands import parse_commands
from tools.models import Effect, ToolVersion
from tools.sandbox import find_refusal


def advise(version: AgentVersion, catalogue: Iterable[ToolVersion]) -> list[Finding]:
    """Return which defences against what a run reads are switched off, for tools that do more than read."""
    acting = [each for each in catalogue if each.effect != Effect.READ]
    return [*_advise_plan(version, acting), *_advise_marks(acting)]


def _advise_plan(version: AgentVersion, acting: list[ToolVersion]) -> Iterator[Finding]:
    """An agent outside keeps the user's words to itself: nothing could be planned by them."""
    if acting and not version.plan and version.planner != EXTERNAL:
        problem = "nothing says which of its tools the user's words ask for: what a run reads may choose them"
        yield Finding("no_plan", str(version), problem, "Set plan to words or planner in its next version")


def _advise_marks(acting: list[ToolVersion]) -> Iterator[Finding]:
    for each in acting:
        if each.input_schema.get("properties") and not each.provenance.get("arguments"):
            problem = (
                "nothing says which of its arguments matter: where their values come from is not looked at"
            )
            remedy = "Mark its destinations, identifiers, amounts and addresses in the tool's provenance"
            yield Finding("no_marks", str(each), problem, remedy)


def advise_installation() -> list[Finding]:
    """Return what runs less safely than it could, or is set and cannot run."""
    return [*_advise_commands(), *_advise_traces(), *advise_embeddings()]


def _advise_traces() -> Iterator[Finding]:
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and find_spec("opentelemetry") is None:
        problem = "no run is told of there: the library that does that is not installed"
        yield Finding("no_exporter", "OTEL_EXPORTER_OTLP_ENDPOINT", problem, "Install agentops[otel]")


def _advise_commands() -> Iterator[Finding]:
    """Yield which servers of tools run without a sandbox by their operator's word, or do not run for want of one."""
    try:
        commands = parse_commands(settings.MCP_COMMANDS)
    except ValueError:  # what stands against starting says so
        return
    for name, command in sorted(commands.items()):
        if not command.sandbox:
            problem = "it is started without a sandbox: it reaches what this installation's account reaches"
            remedy = "Name in reads, writes and network what it needs, and leave sandbox out"
            yield Finding("no_sandbox_wanted", f"MCP_COMMANDS: {name}", problem, remedy)
        elif refusal := find_refusal(command):
            yield Finding(
                "no_sandbox_possible", f"MCP_COMMANDS: {name}", "it is not started", refusal.rstrip(".")
            )
