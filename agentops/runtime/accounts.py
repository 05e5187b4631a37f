"""Which account runs PostgreSQL, and where that account can reach files.

PostgreSQL refuses to run as root. As root it therefore runs as ``nobody``, who may not be able to walk
to a checkout below a private home; then binaries and data are placed in ``/var/tmp``.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Linux and macOS allow 108 and 104 bytes for a socket's path; the longest name put into it is 15 long.
LONGEST_SOCKET_DIRECTORY = 85
# Everybody may write here, so ownership is checked before use; it survives a restart of the machine.
PUBLIC_DIRECTORY = Path("/var/tmp")  # noqa: S108  see above


@dataclass(frozen=True)
class Account:
    """A user and group id; -1 stands for the ones of this process."""

    uid: int = -1
    gid: int = -1

    @property
    def is_current(self) -> bool:
        """Whether no change of account is needed."""
        return self.uid < 0

    def own(self, path: Path) -> None:
        """Give a file or directory to the account."""
        if not self.is_current:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, directory: Path) -> bool:
        """Whether the account can walk to a directory: asked of the kernel, not guessed from mode bits."""
        if self.is_current:
            return True
        listing = subprocess.run(
            ["/bin/ls", "-d", f"{directory}/."],
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            cwd="/",
            capture_output=True,
            check=False,
        )
        return listing.returncode == 0


CURRENT_ACCOUNT = Account()


def account_for_postgres() -> Account:
    """Return ``nobody`` for root, this process's own account for anybody else."""
    if os.geteuid() != 0:
        return CURRENT_ACCOUNT
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def reachable_directory(wanted: Path, account: Account) -> Path:
    """Return ``wanted``, or a directory of our own below /var/tmp if the account cannot walk there."""
    wanted.mkdir(parents=True, exist_ok=True)
    return wanted if account.can_reach(wanted) else substitute_directory(wanted)


def socket_directory(wanted: Path, account: Account) -> Path:
    """Make a directory for Unix sockets that only the account may enter; a short one if the path is long."""
    if len(os.fsencode(wanted)) > LONGEST_SOCKET_DIRECTORY:
        # Not where TMPDIR points to: that may be long, too.
        wanted = Path(tempfile.mkdtemp(prefix="agentops-", dir="/tmp"))
    wanted.mkdir(mode=0o700, exist_ok=True)
    account.own(wanted)
    return wanted


def substitute_directory(wanted: Path) -> Path:
    """Make the directory that stands for an unreachable one; refuse one that somebody else planted."""
    name = hashlib.sha256(str(wanted.resolve()).encode()).hexdigest()[:12]
    directory = PUBLIC_DIRECTORY / f"agentops-{name}"
    directory.mkdir(exist_ok=True)
    if directory.is_symlink() or directory.lstat().st_uid != os.geteuid():
        raise PermissionError(f"{directory} belongs to somebody else")
    directory.chmod(0o755)
    return directory


def reachable_copy(directories: list[Path], account: Account, *, edition: str) -> Path:
    """Return the parent of sibling directories that the account can run programs from, copied if need be.

    ``edition`` tells copies of different releases apart.
    """
    parent = directories[0].parent
    if account.can_reach(directories[0]):
        return parent
    copy = substitute_directory(parent / edition)
    for directory in directories:
        if directory.exists() and not (copy / directory.name).exists():
            _copy_whole(directory, copy / directory.name)
    return copy


def _copy_whole(source: Path, target: Path) -> None:
    # Renamed into place: a copy that was interrupted half-way is never taken for a whole one.
    half = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copytree(source, half, symlinks=True)
    try:
        half.rename(target)
    except OSError:
        shutil.rmtree(half)
        if not target.exists():  # otherwise another process was faster, which is as good
            raise
