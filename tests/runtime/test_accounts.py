"""Who runs PostgreSQL, and where."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agentops.runtime import accounts


class Outsider(accounts.Account):
    """An account that can walk nowhere below the given directory."""

    def __init__(self, closed: Path) -> None:
        super().__init__()
        object.__setattr__(self, "closed", closed)

    def can_reach(self, directory: Path) -> bool:
        closed: Path = self.closed  # type: ignore[attr-defined]  # set past the frozen class
        return not directory.is_relative_to(closed)


@pytest.fixture
def substitute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the substitutes for unreachable directories made below ``tmp_path``."""
    public = tmp_path / "public"
    public.mkdir()
    monkeypatch.setattr(accounts, "PUBLIC_DIRECTORY", public)
    return public


def test_root_hands_postgres_to_nobody_and_others_keep_it() -> None:
    account = accounts.account_for_postgres()

    assert account.is_current is (os.geteuid() != 0)
    assert account.uid != 0


def test_the_account_can_walk_to_open_directories_only(tmp_path: Path) -> None:
    account = accounts.account_for_postgres()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    assert account.can_reach(Path("/"))
    assert account.can_reach(closed) is account.is_current


def test_an_unreachable_directory_gets_one_substitute(tmp_path: Path, substitute: Path) -> None:
    closed = tmp_path / "closed"
    outsider = Outsider(closed)

    first = accounts.reachable_directory(closed, outsider)

    assert first.parent == substitute
    assert first == accounts.reachable_directory(closed, outsider)
    assert first != accounts.reachable_directory(closed / "other", outsider)
    assert stat.S_IMODE(first.stat().st_mode) == 0o755


def test_a_planted_substitute_is_refused(tmp_path: Path, substitute: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    planted = accounts.substitute_directory(tmp_path / "closed")
    planted.rmdir()
    planted.symlink_to(elsewhere)

    with pytest.raises(PermissionError, match="belongs to somebody else"):
        accounts.substitute_directory(tmp_path / "closed")


def test_programs_are_copied_whole_and_once_per_edition(tmp_path: Path, substitute: Path) -> None:
    closed = tmp_path / "closed"
    program = closed / "package" / "bin" / "run"
    program.parent.mkdir(parents=True)
    program.write_text("1")
    program.chmod(0o755)
    outsider = Outsider(closed)
    directories = [closed / "package", closed / "package.libs"]

    copy = accounts.reachable_copy(directories, outsider, edition="1")
    program.write_text("2")

    assert (copy / "package" / "bin" / "run").read_text() == "1"
    assert os.access(copy / "package" / "bin" / "run", os.X_OK)
    assert accounts.reachable_copy(directories, outsider, edition="1") == copy
    renewed = accounts.reachable_copy(directories, outsider, edition="2")
    assert (renewed / "package" / "bin" / "run").read_text() == "2"
    assert [path.name for path in renewed.iterdir()] == ["package"]


def test_reachable_programs_are_not_copied(tmp_path: Path, substitute: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()

    assert accounts.reachable_copy([package], accounts.CURRENT_ACCOUNT, edition="1") == tmp_path
    assert list(substitute.iterdir()) == []


def test_a_long_path_is_replaced_because_sockets_cannot_have_it(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * accounts.LONGEST_SOCKET_DIRECTORY)

    directory = accounts.socket_directory(deep, accounts.CURRENT_ACCOUNT)

    assert directory != deep
    assert len(str(directory)) <= accounts.LONGEST_SOCKET_DIRECTORY
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    directory.rmdir()
