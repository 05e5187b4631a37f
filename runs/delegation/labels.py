"""Whose an answer is that comes back from a child: it is believed no more than what the child had read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from uuid import UUID

from agentops.database import borrowed
from runs.sources import KINDS, RunSources
from runs.versions import read_version

_QUERY = """
SELECT seq, kind, facts, content FROM ledger_entry WHERE stream = %s AND kind = ANY(%s) ORDER BY seq
"""


def judge_answer(child: UUID, version: UUID, texts: Iterable[str]) -> dict[str, bool]:
    """Return, as facts, whether a child has read anything of a stranger's, and whether its answer may leave."""
    read = read_all(child, version)
    return {
        "tainted": read.sources.has_untrusted,
        "sensitive": bool(read.sources.carried(texts)),
    }


def read_all(run: UUID, version: UUID) -> RunSources:
    """Return all that a run of a version has been told and has read, labelled."""
    catalogue, read = read_version(version).catalogue, RunSources()
    with borrowed() as connection:
        rows = connection.execute(_QUERY, (run, list(KINDS))).fetchall()
    for seq, kind, facts, content in rows:
        read.add((seq, kind, facts, None if content is None else json.loads(content)), catalogue)
    return read
