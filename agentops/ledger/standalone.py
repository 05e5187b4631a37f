#!/usr/bin/env python3
"""Verify an export of the ledger, anywhere: this file and Python's standard library are all it needs.

    python3 standalone.py EXPORT.jsonl [--key HEX] [--checkpoint HEX] [--earlier OLDER_EXPORT.jsonl] [--json]

``-`` reads the export from standard input. With the public key of the checkpoints, which was noted elsewhere, it
also finds what fits in itself but was written anew since: every head that was signed has to be there. The digest of
a checkpoint finds that the checkpoints themselves were cut off behind it. An export that was taken earlier and kept
elsewhere does so without a key: then every entry of the earlier one has to be in the later.
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
CHECKPOINT = "agentops-checkpoint/1"
GENESIS = "00" * 32
# Made once: to make one for each entry takes a quarter of the time.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode

Row = dict[str, Any]  # one JSON line of an export


class NotAnExport(ValueError):
    """The file is not an export, or it is cut off."""


@dataclass(frozen=True)
class Fault:
    """Where a stream stops fitting: ``seq`` is the first bad or missing entry."""

    stream: str
    seq: int
    # missing, reordered, edited, content_edited, truncated, extended, rewritten, unreadable; forged of a checkpoint
    code: str
    detail: str


@dataclass
class Report:
    """What was verified: one fault per broken stream at the most, the first one."""

    entries: int = 0
    streams: int = 0
    faults: list[Fault] = field(default_factory=list)


def verify(
    lines: Iterable[str], earlier: Iterable[str] | None = None, *, key: str = "", checkpoint: str = ""
) -> Report:
    """Verify an export, and against a key, a checkpoint and an earlier export where they are given.

    Without a key checkpoints bind as well, but whoever writes the ledger anew can write those anew, too. Raises
    NotAnExport.
    """
    report, older, signed = Report(), _Older(earlier), _Signed(key.lower(), checkpoint.lower())
    for stream, rows in groupby(_read_rows(lines, signed.take), itemgetter("stream")):
        report.streams += 1
        report.faults += older.pass_by(stream)
        report.faults += _verify_stream(stream, rows, (older, signed), report)[:1]
    report.faults += [*older.pass_by(None), *signed.finish_all()]
    return report


def _verify_stream(
    stream: str, rows: Iterator[Row], others: tuple[_Older, _Signed], report: Report
) -> list[Fault]:
    head, position = next(rows), (0, GENESIS)
    faults: list[Fault] = []
    for row in rows:
        report.entries += 1
        found = _check_entry(row, position), *(other.compare(row) for other in others)
        faults += [fault for fault in found if fault] if not faults else []
        position = row["seq"], row["hash"]
    at_the_end = _check_head(head, position), *(other.finish(stream, position[0]) for other in others)
    return [*faults, *(fault for fault in at_the_end if fault)]


def chain_hash(row: Row) -> str:
    """Return the SHA-256 (hex) that an entry must have: it binds everything but the content itself."""
    facts = _encode(row["facts"])
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


def _read_rows(lines: Iterable[str], take: Callable[[Row], None] = lambda row: None) -> Iterator[Row]:
    """Yield the heads and entries of an export, and have its checkpoints taken, which come first.

    Raises NotAnExport for anything else, or for half of one.
    """
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
            count += 1
            if "checkpoint" in row:
                take(row)
            elif "stream" in row:
                yield row
            else:
                raise NotAnExport(f"line {count + 1} belongs to no stream")
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


class _Signed:
    """The checkpoints of an export: the heads that were signed have to be among its entries.

    ``keys``: the public keys that are known from elsewhere, separated by commas. The newest is enough, for its first
    checkpoint binds those that an earlier key has signed; a key that another has followed signs no more.
    """

    def __init__(self, keys: str, expected: str) -> None:
        self._keys, self._expected = {key.strip() for key in keys.split(",")} - {""}, expected
        self._heads: dict[str, dict[int, tuple[str, int]]] = {}
        self._last, self._digest, self._digests = 0, GENESIS, {""}
        self._faults: list[Fault] = []
        self._said: tuple[Row, str] | None = None
        self._seen: list[str] = []  # keys, in the order of their first checkpoints
        self._first: dict[str, int] = {}

    def take(self, row: Row) -> None:
        """Take a checkpoint, in the order of their numbers."""
        number, heads, key = row["checkpoint"], row["heads"], row["public_key"]
        parts = CHECKPOINT, number, row["at"], key, len(heads), row["root"], row["prev_digest"]
        said = "\n".join(map(str, parts))
        self._blame(number, self._find_problem(row, said))
        if key not in self._first:
            self._check_signature()  # of the last one by the key before
            self._first[key] = number
            self._seen.append(key)
        for stream, seq, hashed in heads:
            self._heads.setdefault(stream, {})[seq] = (hashed, number)
        self._last, self._said = number, (row, said)
        self._digest = hashlib.sha256(f"{said}\n{row['signature']}".encode()).hexdigest()
        self._digests.add(self._digest)
        if self._first[key] == number:
            self._check_signature()

    def _find_problem(self, row: Row, said: str) -> str:
        if (row["checkpoint"], row["prev_digest"]) != (self._last + 1, self._digest):
            return "it does not follow the one before it"
        if row["root"] != merkle_root(row["heads"]):
            return "it does not fit its heads"
        if self._is_replaced(row["public_key"]):
            return "it was signed by a key that was replaced"
        return ""

    def _is_replaced(self, key: str) -> bool:
        return key in self._first and key != self._seen[-1]

    def _check_signature(self) -> None:
        """Check that of the last checkpoint: it binds all before it, by their digests."""
        if self._said is None:
            return
        row, said = self._said
        key, signature = bytes.fromhex(row["public_key"]), bytes.fromhex(row["signature"])
        if not is_signed(key, signature, said.encode()):
            self._blame(self._last, "it is not what was signed")

    def _check_keys(self) -> None:
        """Check that the newest key is a known one, where any is known; those before it are bound by it."""
        for key in reversed(self._seen):
            if not self._keys or key in self._keys:
                return
            self._blame(self._first[key], "it was signed by another key")

    def _blame(self, number: int, problem: str) -> None:
        fault = Fault(f"checkpoint {number}", number, "forged", problem)
        if problem and fault not in self._faults:
            self._faults.append(fault)

    def compare(self, row: Row) -> Fault | None:
        """Compare an entry with what was signed of it, if anything was."""
        hashed, number = self._heads.get(row["stream"], {}).pop(row["seq"], (row["hash"], 0))
        if hashed == row["hash"]:
            return None
        return Fault(row["stream"], row["seq"], "rewritten", f"checkpoint {number} holds another entry here")

    def finish(self, stream: str, last_seq: int) -> Fault | None:
        """End a stream; what was signed beyond its last entry is missing."""
        left = self._heads.pop(stream, {})
        if not left:
            return None
        seq = min(left)
        return Fault(stream, last_seq + 1, "truncated", f"checkpoint {left[seq][1]} holds entry {seq}")

    def finish_all(self) -> list[Fault]:
        """Return the faults of the checkpoints, and one for each stream that is not there any more."""
        self._check_signature()
        self._check_keys()
        gone = [self.finish(stream, 0) for stream in sorted(self._heads)]
        if self._expected not in self._digests:
            name = f"checkpoint {self._last + 1}"
            self._faults.append(Fault(name, self._last + 1, "truncated", f"there is none {self._expected}"))
        return [*self._faults, *(fault for fault in gone if fault)]


def merkle_root(heads: list[list[Any]]) -> str:
    """Return the root (hex) over heads as RFC 6962 (2.1) has it, a leaf each."""
    leaves = ("\n".join(map(str, head)).encode() for head in heads)
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves] or [hashlib.sha256().digest()]
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2])  # noqa: B905  runs on older Pythons too
        level = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs] + odd
    return level[0].hex()


# Ed25519 (RFC 8032) for verifying alone: nothing here is secret, so nothing has to take the same time.
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

Point = tuple[int, int, int, int]  # x = X/Z, y = Y/Z, xy = T/Z


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether a signature of this message was made with the key's private half."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    key, s = _read_point(public_key), int.from_bytes(signature[32:], "little")
    if key is None or s >= _ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + public_key + message).digest()
    challenge = int.from_bytes(hashed, "little") % _ORDER
    minus_key = (_P - key[0], key[1], key[2], _P - key[3])
    return _write_point(_add(_multiply(s, _BASE), _multiply(challenge, minus_key))) == signature[:32]


def _read_point(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= _P:
        return None
    # x² = (y² - 1) / (dy² + 1)
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _write_point(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0])
    b = (one[1] + one[0]) * (other[1] + other[0])
    c, d = 2 * one[3] * other[3] * _D, 2 * one[2] * other[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(number: int, point: Point) -> Point:
    product: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            product = _add(product, point)
        point = _add(point, point)
        number >>= 1
    return product


_BASE: Any = _read_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))  # Any: it is a point


def main(arguments: list[str]) -> int:
    """Verify what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(description="Verify an export of the ledger.")
    parser.add_argument("export", help="the export, or - for standard input")
    parser.add_argument(
        "--key",
        default="",
        help="the public key that signs checkpoints, in hex, noted elsewhere; several with commas between them",
    )
    parser.add_argument(
        "--checkpoint", default="", help="the digest of a checkpoint, in hex, noted elsewhere"
    )
    parser.add_argument("--earlier", help="an export that was taken earlier and kept elsewhere")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        report = _verify_files(options)
    except (NotAnExport, KeyError, TypeError, ValueError, OSError) as error:
        print(f"not a whole export: {error}", file=sys.stderr)
        return 2
    show: Callable[[Report], str] = _as_json if options.json else _as_text
    print(show(report))
    return 1 if report.faults else 0


def _verify_files(options: argparse.Namespace) -> Report:
    with ExitStack() as files:
        named = (
            None if name is None else files.enter_context(Path(name).open(encoding="utf-8"))
            for name in (None if options.export == "-" else options.export, options.earlier)
        )
        export, older = named
        return verify(export or sys.stdin, older, key=options.key, checkpoint=options.checkpoint)


def _as_text(report: Report) -> str:
    verdict = "BROKEN" if report.faults else "all fit"
    lines = [f"{report.entries} entries in {report.streams} streams: {verdict}"]
    lines += [f"  {fault.stream} entry {fault.seq}: {fault.code}, {fault.detail}" for fault in report.faults]
    return "\n".join(lines)


def _as_json(report: Report) -> str:
    return json.dumps({"ok": not report.faults, **asdict(report)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
