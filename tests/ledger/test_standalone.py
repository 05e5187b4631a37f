"""An auditor with an export and one file: no database, no project, no library."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command

from agentops.ledger import standalone
from agentops.ledger.standalone import NotAnExport
from tests.ledger.forging import as_owner, faults, write_stream
from tests.ledger.test_verification import change, forge

pytestmark = pytest.mark.django_db(transaction=True)

Lines = list[str]


def export(*arguments: str) -> Lines:
    out = StringIO()
    call_command("export_ledger", *arguments, stdout=out)
    return out.getvalue().splitlines(keepends=True)


def found(lines: Lines, earlier: Lines | None = None) -> list[tuple[UUID, int, str]]:
    report = standalone.verify(lines, earlier)
    return [(UUID(fault.stream), fault.seq, fault.code) for fault in report.faults]


def rows(lines: Lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def run_alone(tmp_path: Path, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a copy of the file in a folder of its own, isolated from this project and its environment."""
    script = tmp_path / "standalone.py"
    script.write_text(Path(standalone.__file__).read_text())
    return subprocess.run(
        [sys.executable, "-I", "-S", str(script), *arguments],
        cwd=tmp_path,
        env={},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_export_verifies_anywhere(tmp_path: Path) -> None:
    write_stream(3)
    write_stream(2)
    (tmp_path / "ledger.jsonl").write_text("".join(export()))
    done = run_alone(tmp_path, "ledger.jsonl")
    assert (done.returncode, done.stdout) == (0, "5 entries in 2 streams: all fit\n")
    done = run_alone(tmp_path, "-", "--json", text="".join(export("--contents")))
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"ok": True, "entries": 5, "streams": 2, "faults": []},
    )


def test_the_words_leave_the_database_only_when_asked_for() -> None:
    write_stream(2)
    assert "words 1" not in "".join(export())
    assert "words 1" in "".join(export("--contents"))
    assert {row["salt"] for row in rows(export()) if "salt" in row} == {None}


def test_an_erased_ledger_verifies_too(tmp_path: Path) -> None:
    stream = write_stream(3)
    change(stream, 2, "content = NULL, salt = NULL")
    done = run_alone(tmp_path, "-", text="".join(export("--contents")))
    assert done.returncode == 0


def test_it_finds_what_verifying_in_the_database_finds() -> None:
    stream = write_stream(5)
    for seq, assignment in ((4, "kind = 'x'"), (2, "content = '{}'"), (1, "actor = NULL")):
        change(stream, seq, assignment)
        assert found(export("--contents")) == faults()
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE seq = 1")
    assert found(export("--contents")) == faults() == [(stream, 1, "missing")]


def test_a_stream_without_a_head_or_without_entries_is_found() -> None:
    first, second, third = (write_stream(2) for _ in range(3))
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_stream WHERE id = ANY(%s)", [[first, third]])
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s", [second])
    expected = sorted([(first, 2, "extended"), (second, 1, "truncated"), (third, 2, "extended")])
    assert sorted(found(export())) == sorted(faults()) == expected


# --- tampering with the export ----------------------------------------------------------------------------


@pytest.fixture
def kept() -> Lines:
    """Return an export: a line for the format, two streams of a head and three entries, and its end."""
    write_stream(3)
    write_stream(3)
    return export("--contents")


def edited(line: str, **changes: Any) -> str:
    return json.dumps({**json.loads(line), **changes}) + "\n"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"kind": "x"}, "edited"),
        ({"facts": {"number": 7}}, "edited"),
        ({"at": "2026-11-22T12:00:00.000001+00:00"}, "edited"),
        ({"actor": None}, "edited"),
        ({"hash": "ab" * 32}, "edited"),
        ({"prev_hash": "ab" * 32}, "reordered"),
        ({"seq": 9}, "missing"),
        ({"content": "{}"}, "content_edited"),
        ({"salt": "00"}, "content_edited"),
    ],
)
def test_an_edited_line_is_named(kept: Lines, changes: dict[str, Any], code: str) -> None:
    kept[3] = edited(kept[3], **changes)
    stream = UUID(json.loads(kept[1])["stream"])
    assert found(kept) == [(stream, 2, code)]


def test_lines_that_are_missing_moved_or_doubled_are_named(kept: Lines) -> None:
    stream = UUID(json.loads(kept[1])["stream"])
    end = edited(kept[-1], end=7)
    assert found([*kept[:3], *kept[4:-1], end]) == [(stream, 2, "missing")]
    assert found([*kept[:4], *kept[5:-1], end]) == [(stream, 3, "truncated")]
    assert found([*kept[:2], kept[3], kept[2], *kept[4:]]) == [(stream, 1, "missing")]
    doubled = [*kept[:3], kept[2], *kept[3:-1], edited(kept[-1], end=9)]
    assert found(doubled) == [(stream, 2, "missing")]


def broken_files(kept: Lines) -> Iterator[Lines]:
    yield []
    yield kept[1:]
    yield kept[:-1]
    yield [*kept, kept[1]]
    yield [*kept[:2], "{", *kept[3:]]
    yield [*kept[:2], "[]\n", *kept[3:]]
    yield [*kept[:2], "{}\n", *kept[3:]]
    yield [edited(kept[0], format="agentops-ledger/2"), *kept[1:]]
    yield [*kept[:-1], edited(kept[-1], end=3)]


def test_half_a_file_is_no_export(kept: Lines, tmp_path: Path) -> None:
    for lines in broken_files(kept):
        with pytest.raises(NotAnExport):
            standalone.verify(lines)
        assert run_alone(tmp_path, "-", text="".join(lines)).returncode == 2


def test_an_export_without_its_heads_is_no_export(kept: Lines, tmp_path: Path) -> None:
    headless = [*kept[:1], *kept[2:-1], edited(kept[-1], end=7)]
    assert run_alone(tmp_path, "-", text="".join(headless)).returncode == 2
    assert run_alone(tmp_path, "nowhere.jsonl").returncode == 2


# --- against an earlier export ----------------------------------------------------------------------------


def test_a_ledger_that_has_grown_fits_its_earlier_export() -> None:
    stream = write_stream(3)
    write_stream(2)
    earlier = export()
    write_stream(4, stream)
    write_stream(1)
    assert found(export(), earlier) == []
    assert found(earlier, earlier) == []


def test_a_stream_that_was_written_anew_with_its_head_is_found(tmp_path: Path) -> None:
    """It fits in itself: only what was kept elsewhere tells, or a checkpoint, of which there is none here."""
    write_stream(2)
    stream = write_stream(5)
    write_stream(2)
    earlier = export()
    forge(stream, 3, 5, head=True)
    assert faults() == [], "nothing in the database gives it away"
    assert found(export(), earlier) == [(stream, 3, "rewritten")]
    (tmp_path / "earlier.jsonl").write_text("".join(earlier))
    done = run_alone(tmp_path, "-", "--earlier", "earlier.jsonl", text="".join(export()))
    assert done.returncode == 1
    assert f"{stream} entry 3: rewritten" in done.stdout


def test_a_whole_ledger_that_was_written_anew_is_found() -> None:
    streams = [write_stream(3) for _ in range(3)]
    earlier = export()
    for stream in streams:
        forge(stream, 1, 3, head=True)
    assert faults() == []
    assert found(export(), earlier) == [(stream, 1, "rewritten") for stream in sorted(streams)]


def test_an_end_that_was_cut_off_together_with_its_head_is_found() -> None:
    stream = write_stream(5)
    write_stream(2)
    earlier = export()
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq > 3", [stream])
        owner.execute(
            "UPDATE ledger_stream s SET head_seq = 3, head_hash = e.hash FROM ledger_entry e"
            " WHERE s.id = %s AND e.stream = s.id AND e.seq = 3",
            [stream],
        )
    assert faults() == []
    assert found(export(), earlier) == [(stream, 4, "truncated")]


def test_streams_that_have_vanished_are_found() -> None:
    streams = [write_stream(2) for _ in range(4)]
    earlier = export()
    with as_owner() as owner:
        for stream in (streams[0], streams[3]):
            owner.execute("DELETE FROM ledger_entry WHERE stream = %s", [stream])
            owner.execute("DELETE FROM ledger_stream WHERE id = %s", [stream])
    assert faults() == []
    assert sorted(found(export(), earlier)) == sorted(
        (each, 1, "truncated") for each in (streams[0], streams[3])
    )


def test_without_an_earlier_export_or_a_checkpoint_a_consistent_rewrite_is_not_found() -> None:
    """The limit of a chain without an anchor, stated as it is."""
    stream = write_stream(5)
    forge(stream, 1, 5, head=True)
    assert faults() == found(export()) == []


def test_it_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(Path(standalone.__file__).read_text())
    names = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names <= sys.stdlib_module_names
