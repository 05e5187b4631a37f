"""The ledger as JSON lines, for whoever verifies it elsewhere (``standalone.py``), and for keeping.

One line says the format. A line for each checkpoint follows, with the heads that it signed. Each stream then has a
line for its head and one per entry, streams in the order of their ids; the last line counts all but the first, so
that half a file is seen to be one.
A time or facts that cannot be read are null, and verifying names that entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from agentops.ledger.checkpoints import statement_of
from agentops.ledger.decoding import decode_facts
from agentops.ledger.models import Checkpoint, CheckpointHead
from agentops.ledger.standalone import FORMAT
from agentops.ledger.store import Cursor
from agentops.ledger.verification import read_heads, read_rows


def export_lines(cursor: Cursor, *, contents: bool) -> Iterator[str]:
    """Yield the export line by line, from one snapshot if the cursor's transaction is one.

    Without contents the chains can be verified as well, and nothing personal leaves the database.
    """
    yield _dump({"format": FORMAT, "exported_at": datetime.now(UTC).isoformat(), "contents": contents})
    count = 0
    for row in chain(_checkpoints(), _rows(cursor, contents)):
        count += 1
        yield _dump(row)
    yield _dump({"end": count})


def _checkpoints() -> Iterator[dict[str, Any]]:
    for row in Checkpoint.objects.order_by("number").iterator():
        heads = CheckpointHead.objects.filter(checkpoint=row.number).order_by("stream_id")
        said = statement_of(row)
        yield {
            "checkpoint": row.number,
            "at": said.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "public_key": said.public_key.hex(),
            "root": said.root.hex(),
            "prev_digest": said.prev_digest.hex(),
            "signature": _hex(row.signature),
            "heads": [[str(head.stream_id), head.seq, _hex(head.hash)] for head in heads],
        }


def _rows(cursor: Cursor, contents: bool) -> Iterator[dict[str, Any]]:
    heads = dict(sorted(read_heads(cursor, None).items()))
    entries = groupby(read_rows(cursor, None), itemgetter(0))
    following = next(entries, None)
    for stream, (seq, hashed) in heads.items():
        while following is not None and following[0] < stream:  # entries without a head: verifying names them
            yield from _orphans(following[1], contents)
            following = next(entries, None)
        yield {"stream": str(stream), "head_seq": seq, "head_hash": hashed.hex()}
        if following is not None and following[0] == stream:
            yield from (_entry(row, contents) for row in following[1])
            following = next(entries, None)
    while following is not None:
        yield from _orphans(following[1], contents)
        following = next(entries, None)


def _orphans(rows: Iterator[tuple[Any, ...]], contents: bool) -> Iterator[dict[str, Any]]:
    listed = [_entry(row, contents) for row in rows]
    yield {"stream": listed[0]["stream"], "head_seq": 0, "head_hash": bytes(32).hex()}
    yield from listed


def _entry(row: tuple[Any, ...], contents: bool) -> dict[str, Any]:
    stream, seq, kind, facts, content, salt, digest, prev_hash, hashed, at, actor = row
    return {
        "stream": str(stream),
        "seq": seq,
        "kind": kind,
        "at": None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": None if actor is None else str(actor),
        "facts": decode_facts(facts),
        "content": content if contents else None,
        "salt": _hex(salt) if contents else None,
        "content_digest": _hex(digest),
        "prev_hash": _hex(prev_hash),
        "hash": _hex(hashed),
    }


def _hex(value: Any) -> str | None:  # Any: bytes or a memoryview, as the driver gives them
    return None if value is None else bytes(value).hex()


def _dump(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n"
