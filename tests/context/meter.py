"""What each step of a run takes: sizes and counts, of which a test may judge, and times, of which it may not."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import pytest
from django.db import connection

from runs import journal, turns
from runs.bench.meter import memory_kb
from runs.session import Session

_WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
# Told and not judged: others write to the same server and use the same cores, and the profiler takes its time.
TOLD = ("ms", "wal_bytes", "memory_kb")


@dataclass
class Reading:
    """One step: ``prompt`` characters and ``messages`` of what the planner was asked, functions of Python ``called``,
    bytes ``written`` to the database, entries that the driver ``held`` in memory, and what is only told.
    """

    prompt: int = 0
    messages: int = 0
    called: int = 0
    written: int = 0
    held: int = 0
    ms: float = 0.0
    wal_bytes: int = 0
    memory_kb: int = 0


@dataclass
class Meter:
    """The readings of one run, by step; a step begins when the planner is to be asked for it."""

    steps: list[Reading] = field(default_factory=list)
    _began: float = 0.0
    _wal: int = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Read on from the driver's turns and appends in this thread."""
        ask, encode = turns.ask_planner, journal.encode

        def ask_planner(session: Session, *arguments: Any) -> None:
            self.begin(session)
            ask(session, *arguments)

        def encode_write(write: journal.Write) -> journal.Document:
            document = encode(write)
            if self.steps:
                self.steps[-1].written += len(document.text)
            return document

        patch.setattr(turns, "ask_planner", ask_planner)
        patch.setattr(journal, "encode", encode_write)
        sys.setprofile(self.count)

    def begin(self, session: Session) -> None:
        """End the step before, and begin the next one."""
        sys.setprofile(None)
        self.end()
        self.steps.append(
            Reading(held=len(session.contents) + len(session.arranged) + len(session.state.marks))
        )
        self._began, self._wal = time.monotonic(), _wal()
        sys.setprofile(self.count)

    def end(self) -> None:
        """Note what is known of the step that is over."""
        if self.steps:
            self.steps[-1].ms = (time.monotonic() - self._began) * 1000
            self.steps[-1].wal_bytes = _wal() - self._wal
            self.steps[-1].memory_kb = memory_kb([os.getpid()])

    def count(self, _frame: object, happening: str, _argument: object) -> None:
        if happening == "call" and self.steps:
            self.steps[-1].called += 1

    def note_prompt(self, body: dict[str, Any]) -> None:
        """Note what the planner is asked; of a summary nothing."""
        if "tools" in body:
            self.steps[-1].prompt = sum(len(str(message)) for message in body["messages"])
            self.steps[-1].messages = len(body["messages"])

    def around(self, step: int, name: str, reach: int = 25) -> float:
        """Return what the steps around one take, by their median: in one of many the window is full."""
        return float(median(getattr(each, name) for each in self.steps[max(0, step - reach) : step + reach]))

    def most(self, name: str, *, until: int | None = None) -> float:
        return max(float(getattr(each, name)) for each in self.steps[:until])

    def tell(self, early: int, late: int) -> str:
        """Return the figures as lines for people."""
        lines = [f"{'':>12} {'step ' + str(early):>12} {'step ' + str(late):>12} {'ratio':>8} {'most':>12}"]
        for name in Reading.__dataclass_fields__:
            first, last = self.around(early, name), self.around(late, name)
            ratio = f"{last / first:.2f}" if first else ""
            lines.append(f"{name:>12} {first:>12,.0f} {last:>12,.0f} {ratio:>8} {self.most(name):>12,.0f}")
        return "\n".join(lines)


def _wal() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_WAL)
        return int(cursor.fetchone()[0])
