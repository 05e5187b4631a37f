#!/usr/bin/env python3
"""Verify an export of the ledger, anywhere: this file and Python's standard library are all it needs.

    python3 standalone.py EXPORT.jsonl [--earlier OLDER_EXPORT.jsonl] [--json]

``-`` reads the export from standard input. With an export that was taken earlier and kept elsewhere it also
finds what fits in itself but was written anew: then every entry of the earlier one has to be in the later.
The exit code is 1 when something is wrong, 2 when the file is no export.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

FORMAT = "agentops-ledger/1"
GENESIS = "00" * 32

Row = dict[str, Any]  # one JSON line of an export


class NotAnExport(ValueError):
    """The file is not an export, or it is cut off."""


@dataclass(frozen=True)
class Fault:
    """Where a stream stops fitting: ``seq`` is the first bad or missing entry."""

    stream: str
    seq: int
    code: str  # missing, reordered, edited, content_edited, truncated, extended, rewritten, unreadable
    detail: str


@dataclass
class Report:
    """What was verified: one fault per broken stream at the most, the first one."""

    entries: int = 0
    streams: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify(lines: Iterable[str], earlier: Iterable[str] | None = None) -> Report:
    """Verify an export, and against an earlier one where there is one; raises NotAnExport."""
    report, older = Report(), _Older(earlier)
    for stream, rows in groupby(_read_rows(lines), itemgetter("stream")):
        report.streams += 1
        report.faults += older.pass_by(stream)
        report.faults += _verify_stream(stream, rows, older, report)[:1]
    report.faults += older.pass_by(None)
    return report


def _verify_stream(stream: str, rows: Iterator[Row], older: _Older, report: Report) -> list[Fault]:
    head, position = next(rows), (0, GENESIS)
    faults: list[Fault] = []
    for row in rows:
        report.entries += 1
        found = _check_entry(row, position), older.compare(row)
        faults += [fault for fault in found if fault] if not faults else []
        position = row["seq"], row["hash"]
    at_the_end = _check_head(head, position), older.finish(stream, position[0])
    return [*faults, *(fault for fault in at_the_end if fault)]


def chain_hash(row: Row) -> str:
    """Return the SHA-256 (hex) that an entry must have: it binds everything but the content itself."""
    facts = json.dumps(row["facts"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    at = datetime.fromisoformat(row["at"]).astimezone(timezone.utc)  # noqa: UP017  runs on older Pythons too
    parts = (
        row["stream"],
        str(row["seq"]),
        row["kind"],
        at.isoformat(timespec="microseconds"),
        row["actor"] or "",
        facts,
        row["content_digest"] or "",
        row["prev_hash"],
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _check_entry(row: Row, position: tuple[int, str]) -> Fault | None:
    stream, seq = row["stream"], row["seq"]
    if seq != position[0] + 1:
        return Fault(stream, position[0] + 1, "missing", f"after {position[0]} comes {seq}")
    if row["prev_hash"] != position[1]:
        return Fault(stream, seq, "reordered", "does not continue the entry before it")
    if row["at"] is None or row["facts"] is None:
        what = "time" if row["at"] is None else "facts"
        return Fault(stream, seq, "unreadable", f"its {what} cannot be read")
    if row["hash"] != chain_hash(row):
        return Fault(stream, seq, "edited", "its hash does not fit what it says")
    if row.get("content") is not None and _content_digest(row) != row["content_digest"]:
        return Fault(stream, seq, "content_edited", "its content does not fit its digest")
    return None


def _content_digest(row: Row) -> str:
    return hashlib.sha256(bytes.fromhex(row.get("salt") or "") + row["content"].encode()).hexdigest()


def _check_head(head: Row, position: tuple[int, str]) -> Fault | None:
    if position[0] < head["head_seq"]:
        return Fault(head["stream"], position[0] + 1, "truncated", f"the head stands at {head['head_seq']}")
    if position != (head["head_seq"], head["head_hash"]):
        return Fault(head["stream"], position[0], "extended", f"the head stands at {head['head_seq']}")
    return None


def _read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the heads and entries of an export; raises NotAnExport for anything else, or for half of one."""
    rows = _parse(lines)
    first: Row = next(rows, {})
    if first.get("format") != FORMAT:
        raise NotAnExport(f"the first line does not say {FORMAT}")
    count, last = 0, first
    for row in rows:
        if "end" in last:
            raise NotAnExport("there is more behind its end")
        last = row
        if "end" not in row:
            if "stream" not in row:
                raise NotAnExport(f"line {count + 2} belongs to no stream")
            count += 1
            yield row
    if last.get("end") != count:
        raise NotAnExport("it is cut off: its last line does not count what is in it")


def _parse(lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise NotAnExport(f"line {number} is not JSON") from error
        if not isinstance(row, dict):
            raise NotAnExport(f"line {number} is not an object")
        yield row


class _Older:
    """An earlier export, read alongside: both are in the order of their streams."""

    def __init__(self, lines: Iterable[str] | None) -> None:
        rows = iter(()) if lines is None else _read_rows(lines)
        self._groups = groupby(rows, itemgetter("stream"))
        self._stream, self._entries = self._next_stream()

    def _next_stream(self) -> tuple[str | None, Iterator[Row]]:
        stream, rows = next(self._groups, (None, iter(())))
        next(rows, None)  # the head
        return stream, rows

    def pass_by(self, stream: str | None) -> list[Fault]:
        """Go on to a stream, or to the end; return a fault for each stream that is not there any more."""
        faults = []
        while self._stream is not None and (stream is None or self._stream < stream):
            faults.append(Fault(self._stream, 1, "truncated", "the stream was in the earlier export"))
            self._stream, self._entries = self._next_stream()
        return faults

    def compare(self, row: Row) -> Fault | None:
        """Compare an entry with the same one of the earlier export, where that has it."""
        if self._stream != row["stream"]:
            return None
        before = next(self._entries, None)
        if before is None or before["hash"] == row["hash"]:
            return None
        return Fault(row["stream"], row["seq"], "rewritten", "the earlier export has another entry here")

    def finish(self, stream: str, last_seq: int) -> Fault | None:
        """End a stream; what the earlier export has beyond its last entry is missing."""
        if self._stream != stream:
            return None
        missing = next(self._entries, None)
        self._stream, self._entries = self._next_stream()
        if missing is None:
            return None
        return Fault(stream, last_seq + 1, "truncated", "the earlier export has more entries")


def main(arguments: list[str]) -> int:
    """Verify what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description="Verify an export of the ledger.")
    parser.add_argument("export", help="the export, or - for standard input")
    parser.add_argument("--earlier", help="an export that was taken earlier and kept elsewhere")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        report = _verify_files(options.export, options.earlier)
    except (NotAnExport, KeyError, TypeError, OSError) as error:
        print(f"not a whole export: {error}", file=sys.stderr)
        return 2
    show: Callable[[Report], str] = _as_json if options.json else _as_text
    print(show(report))
    return 1 if report.faults else 0


def _verify_files(export: str, earlier: str | None) -> Report:
    with ExitStack() as files:
        source = sys.stdin if export == "-" else files.enter_context(Path(export).open(encoding="utf-8"))
        older = None if earlier is None else files.enter_context(Path(earlier).open(encoding="utf-8"))
        return verify(source, older)


def _as_text(report: Report) -> str:
    verdict = "BROKEN" if report.faults else "all fit"
    lines = [f"{report.entries} entries in {report.streams} streams: {verdict}"]
    lines += [f"  {fault.stream} entry {fault.seq}: {fault.code}, {fault.detail}" for fault in report.faults]
    return "\n".join(lines)


def _as_json(report: Report) -> str:
    return json.dumps({"ok": not report.faults, **asdict(report)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
