"""What is kept between runs is what migrations make, and no other source's."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from agentops.runtime import pytest_databases, pytest_schemas
from agentops.runtime.accounts import account_for_postgres
from agentops.runtime.postgres import find_binaries
from agentops.runtime.service_urls import PLACEHOLDERS, with_database
from agentops.runtime.services import temporary_stack


def test_what_is_kept_is_what_migrations_make(tmp_path: Path) -> None:
    """Read in here, and migrated once more where the suite has the time for it."""
    kept = tmp_path / "schema.sql"
    binaries = find_binaries(account_for_postgres())
    url = with_database(os.environ["DATABASE_OWNER_URL"], os.environ["AGENTOPS_TEST_TEMPLATE"])
    pytest_schemas.keep(binaries, url, kept)
    owner_url, copy = os.environ["DATABASE_OWNER_URL"], f"{os.environ['AGENTOPS_TEST_TEMPLATE']}_again"
    pytest_databases.copy_database(owner_url, "agentops", copy)
    assert pytest_schemas.restore(binaries, with_database(owner_url, copy), kept)
    assert told(pytest_schemas.dump(binaries, with_database(owner_url, copy))) == told(kept.read_text())


@pytest.mark.slow
@pytest.mark.crash  # it migrates, as the other tests of given servers
def test_what_is_kept_of_this_source_is_what_its_migrations_make_now() -> None:
    kept = pytest_schemas.path_of()
    assert kept.exists(), "this very run has read it, or left it behind"
    with temporary_stack(durable=False) as stack:
        stack.start_postgres()
        owner_url = stack.environment()["DATABASE_OWNER_URL"]
        pytest_databases.create_migrated_template(owner_url, "migrated")
        made = pytest_schemas.dump(stack.postgres_binaries(), with_database(owner_url, "migrated"))
    assert told(made) == told(kept.read_text())


def told(dump: str) -> list[str]:
    """Return a dump without what differs each time: its key, when a migration was applied, how casts are spelt."""
    lines = [line.partition("\t20")[0] for line in dump.splitlines() if not line.startswith("\\")]
    return [re.sub(r"::(character varying|text)(\[\])?|[()]", "", line) for line in lines]


def test_nothing_is_read_where_nothing_is_kept(tmp_path: Path) -> None:
    assert not pytest_schemas.restore(
        Path("/none"), PLACEHOLDERS["DATABASE_OWNER_URL"], tmp_path / "none.sql"
    )


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    kept = tmp_path / "schema.sql"
    kept.write_text("SELECT nothing;")
    with pytest.raises(RuntimeError, match="psql failed"):
        pytest_schemas.restore(find_binaries(account_for_postgres()), os.environ["DATABASE_OWNER_URL"], kept)


@pytest.mark.parametrize("changed", ["requirements.lock", "runs/migrations/0001.py", "tools/guards.sql"])
def test_another_source_is_another_schema(tmp_path: Path, changed: str) -> None:
    source = tmp_path / "source"
    for name in ("requirements.lock", "runs/migrations/0001.py", "tools/guards.sql", "tests/test_x.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    before = pytest_schemas.path_of(source, tmp_path)
    (source / "tests/test_x.py").write_text("tests make no schema")
    assert pytest_schemas.path_of(source, tmp_path) == before
    (source / changed).write_text("other")
    assert pytest_schemas.path_of(source, tmp_path) != before
    shutil.move(source / changed, source / f"{changed}_moved{Path(changed).suffix}")
    (source / f"{changed}_moved{Path(changed).suffix}").write_text(changed)
    assert pytest_schemas.path_of(source, tmp_path) != before


def test_a_few_are_kept_and_the_newest_among_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytest_schemas, "dump", lambda *_: "")
    for number in range(pytest_schemas.MOST_KEPT + 2):
        path = tmp_path / f"{number}.sql"
        pytest_schemas.keep(Path(), "", path)
        os.utime(path, (number, number))
    left = {path.stem for path in tmp_path.iterdir()}
    assert str(pytest_schemas.MOST_KEPT + 1) in left
    assert len(left) == pytest_schemas.MOST_KEPT
