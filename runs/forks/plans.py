"""What a fork takes from which recording, and what is changed: as the first entry of its stream has it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import NotFound
from runs.evaluation.plans import without_memory
from runs.forks.recorded import Recorded, read_recorded
from runs.versions import VersionSpec, read_version

if TYPE_CHECKING:
    from runs.models import Run

_FIRST = "SELECT facts -> 'fork', content FROM ledger_entry WHERE stream = %s AND seq = 1"
ERASED = "[erased]"
NOT_MADE = "not_made"
NOBODY = "in a fork nobody is asked"
Terms = Mapping[str, Mapping[str, Any]]  # by tool: decision, caps, over_caps, as a grant has them. Any: JSON


@dataclass(frozen=True)
class Fork:
    """A fork of ``run``: its steps before ``step`` are recalled; what is None or empty stays as it was.

    ``terms`` take the place of the grants of the tools that they name. ``call_reads``: calls that only read are made.
    """

    run: UUID
    step: int
    instructions: str | None = None
    model: str = ""
    terms: Terms = field(default_factory=dict)
    call_reads: bool = False

    @property
    def changed(self) -> list[str]:
        """Return what is changed, in words that developers know."""
        changes = {"instructions": self.instructions is not None, "model": self.model, "policy": self.terms}
        return [name for name, is_changed in changes.items() if is_changed]

    def as_facts(self) -> dict[str, Any]:  # Any: JSON
        """Return it as the facts of an entry; the instructions are words, and are kept as those."""
        told = {"run": str(self.run), "step": self.step, "changed": self.changed}
        terms = {tool: dict(terms) for tool, terms in self.terms.items()}
        return {**told, "model": self.model, "terms": terms, "call_reads": self.call_reads}

    def as_content(self) -> dict[str, Any]:  # Any: JSON
        """Return what of it can be erased."""
        return {} if self.instructions is None else {"fork": {"instructions": self.instructions}}

    def change(self, version: VersionSpec) -> VersionSpec:
        """Return the agent's version as it is to be from the step on."""
        instructions = version.instructions if self.instructions is None else self.instructions
        models: dict[str, Any] = {"model": self.model, "model_roles": {}} if self.model else {}
        # What a fork might note is no matter of later runs, and what it would recall by now is none of the recording.
        return replace(version, instructions=instructions, memory="", **models)

    @cached_property
    def recorded(self) -> Recorded:
        """Return the recording; raises NotFound where the run is gone."""
        return read_recorded(self.run)


def read_fork(run: UUID) -> Fork:
    """Return what a fork is of; raises NotFound for a run that is none."""
    with borrowed() as connection:
        row = connection.execute(_FIRST, (run,)).fetchone()
    if row is None or row[0] is None:
        raise NotFound("unknown_fork", f"run {run} is no fork")
    facts, content = row
    kept = json.loads(content) if content else {}
    instructions = kept.get("fork", {}).get("instructions", ERASED)
    return Fork(
        UUID(facts["run"]), facts["step"], instructions if "instructions" in facts["changed"] else None,
        facts["model"], facts["terms"], facts["call_reads"],
    )  # fmt: skip


def read_version_of(run: Run) -> VersionSpec:
    """Return the version by which a run goes: of a fork with what is changed in it, of a case without its memory."""
    version = read_version(run.agent_version_id)
    if run.kind == "case":
        return without_memory(version)
    return read_fork(run.pk).change(version) if run.fork_of_id else version
