"""The data directory of the local stack: who holds it, and how a second terminal joins the stack in it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from agentops.runtime.local_keys import write_private
from agentops.runtime.processes import StackError
from agentops.runtime.supervision import ROOT

LOCK_FILE = "lock"
STACK_FILE = "stack.json"
SIGN_IN_FILE = "sign-in.txt"  # written by load_demo, for the person at the terminal


class DataInUse(StackError):
    """Another command holds the data directory."""


@dataclass(frozen=True)
class RunningStack:
    """What ``up`` tells other commands: variables that make their processes part of the running stack."""

    pid: int
    address: str
    environment: dict[str, str]


def default_data() -> Path:
    """Return AGENTOPS_DATA, or ``.data`` in the checkout."""
    return Path(os.environ.get("AGENTOPS_DATA") or ROOT / ".data")


def create_data_directory(data: Path) -> Path:
    """Make the directory, walkable for the account that runs PostgreSQL where that is another one."""
    if not data.exists():
        data.mkdir(parents=True)
        data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    return data.resolve()


@contextmanager
def hold(data: Path, command: str) -> Iterator[Path]:
    """Hold the data directory alone; raise DataInUse, naming the holder, if another command has it.

    Meanwhile this process and its children write files that only their owner can read.
    """
    data = create_data_directory(data)
    with (data / LOCK_FILE).open("a+") as file, _private_files():
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise DataInUse(f"{data} is in use by {file.read().strip() or 'another command'}") from None
        file.truncate(0)
        file.write(f"`agentops {command}`, process {os.getpid()}")
        file.flush()
        yield data


@contextmanager
def _private_files() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def announce(data: Path, stack: RunningStack) -> None:
    """Write the file that other commands join by; it holds keys, so only its owner can read it."""
    write_private(data / STACK_FILE, json.dumps(asdict(stack), indent=1))


def withdraw(data: Path) -> None:
    """Remove that file."""
    (data / STACK_FILE).unlink(missing_ok=True)


def find_running_stack(data: Path) -> RunningStack | None:
    """Return the stack announced in a data directory, if somebody still holds that directory.

    A process id would not do: after a kill -9 the file stays, and the id may soon be another process's.
    """
    try:
        with (data / LOCK_FILE).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_stack_file(data)
    except FileNotFoundError:
        return None
    return None


def _read_stack_file(data: Path) -> RunningStack | None:
    try:
        return RunningStack(**json.loads((data / STACK_FILE).read_text()))
    except FileNotFoundError:
        return None
