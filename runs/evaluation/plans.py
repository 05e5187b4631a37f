"""Which case a run is of: as the first entry of its stream has it, whatever has become of the set since."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import NotFound
from runs.evaluation.declared import Case, read_case
from runs.versions import VersionSpec

_FIRST = "SELECT content FROM ledger_entry WHERE stream = %s AND seq = 1 AND facts ? 'case'"
NOT_SCRIPTED = "not_scripted"


def read_case_of(run: UUID) -> Case:
    """Return the case of a run; raises NotFound for a run of none, or one whose words were erased."""
    with borrowed() as connection:
        row = connection.execute(_FIRST, (run,)).fetchone()
    written = json.loads(row[0]).get("case") if row and row[0] else None
    if written is None:
        raise NotFound("unknown_case", f"run {run} is of no case, or its words were erased")
    return read_case(written, "case")


def without_memory(version: VersionSpec) -> VersionSpec:
    """Return a version as its cases try it: what one of them noted would change what the next one is shown."""
    return replace(version, memory="")
