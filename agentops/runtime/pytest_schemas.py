"""What migrations make of an empty database, kept as SQL between test runs of the same source.

Migrating takes a hundred times as long as reading that in. Any change of the source or of the locked libraries
makes it another schema, so that nothing has to decide what a migration depends on.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from agentops.runtime.supervision import ROOT

KEPT = ROOT / ".pytest_cache" / "schemas"
MOST_KEPT = 4
PACKAGES = ("agentops", "approvals", "config", "identities", "runs", "tools")
SOURCE = (".py", ".sql", ".yaml", ".json")


def path_of(source: Path = ROOT, kept: Path = KEPT) -> Path:
    """Return where the schema of a source tree is kept, or will be."""
    found = hashlib.sha256()
    for path in sorted([*source.glob("requirements*"), *_source_files(source)]):
        found.update(f"{path.relative_to(source)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return kept / f"{found.hexdigest()}.sql"


def _source_files(source: Path) -> Iterable[Path]:
    for package in PACKAGES:
        yield from (path for path in (source / package).rglob("*") if path.suffix in SOURCE)


def restore(binaries: Path, url: str, path: Path) -> bool:
    """Fill a new database with what is kept; False when nothing is. Raises RuntimeError when it does not fit."""
    if not path.exists():
        return False
    options = (
        "--no-psqlrc",
        "--quiet",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
    )
    _run([binaries / "psql", *options, "--file", path, url])
    return True


def keep(binaries: Path, url: str, path: Path) -> None:
    """Keep what is in a migrated database, and forget the oldest of others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(dump(binaries, url), encoding="utf-8")
    unfinished.rename(path)
    for old in sorted(path.parent.glob("*.sql"), key=lambda each: each.stat().st_mtime)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)


def dump(binaries: Path, url: str) -> str:
    """Return a database as SQL, without the comments on extensions, which only a superuser writes."""
    return _run([binaries / "pg_dump", "--no-comments", url])


def _run(argv: Sequence[str | Path]) -> str:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{Path(argv[0]).name} failed:\n{ended.stderr}")
    return ended.stdout
