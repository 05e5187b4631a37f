"""Make ``.venv`` from the locked wheels and continue in it. Standard library only: it comes first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
RUNTIME_LOCK = ROOT / "requirements.lock"
DEVELOPMENT_LOCK = ROOT / "requirements-dev.lock"  # everything in RUNTIME_LOCK, and the tools
# Set where the installation is somebody else's work, in the container image for one.
OPT_OUT = "AGENTOPS_NO_BOOTSTRAP"
# They would make pip install somewhere else, or Python import something else.
MISLEADING = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")


class BootstrapError(Exception):
    """The environment cannot be made; the message says what to do."""


def enter_environment(argv: list[str], *, development: bool = False) -> None:
    """Return at once inside an up-to-date ``.venv``; otherwise make it and run ``argv`` again in it."""
    if os.environ.get(OPT_OUT):
        return
    install_locked(DEVELOPMENT_LOCK if development else RUNTIME_LOCK)
    if Path(sys.prefix).resolve() != VENV.resolve():
        _run_again(argv)


def install_locked(lock: Path) -> None:
    """Bring ``.venv`` to what a lock file says, unless it is there already.

    Raises BootstrapError when pip is missing or fails.
    """
    if is_installed(lock):
        return
    with _exclusive():
        if is_installed(lock):  # another terminal was faster
            return
        print(f"agentops: installing {lock.name} into .venv, once ...", file=sys.stderr, flush=True)
        if not _is_usable():
            # pip comes from outside, see below: a minimal Debian has no ensurepip.
            venv.EnvBuilder(clear=True, with_pip=False, symlinks=True).create(VENV)
        _pip_install(lock)
        _stamp(lock).write_text(_fingerprint(lock))


def is_installed(lock: Path) -> bool:
    """Whether ``.venv`` holds exactly this lock file, or the development one, which contains it."""
    accepted = [lock, DEVELOPMENT_LOCK]
    return _is_usable() and any(
        _stamp(each).exists() and _stamp(each).read_text() == _fingerprint(each) for each in accepted
    )


def _pip_install(lock: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in MISLEADING}
    # --python installs into another environment, so that pip's own may be managed by the system (PEP 668).
    command = [_python_with_pip(environment), "-m", "pip", "--python", str(PYTHON), "install", "--quiet"]
    # A lock is complete, so nothing is left to resolve; older pips take a dependency with extras for unpinned.
    options = ["--disable-pip-version-check", "--only-binary", ":all:", "--no-deps", "--require-hashes"]
    options += ["-r", str(lock)]
    if subprocess.run([*command, *options], env=environment, check=False).returncode:
        raise BootstrapError(f"pip could not install {lock.name}; its message is above")


def _python_with_pip(environment: dict[str, str]) -> str:
    for python in _interpreters():
        probe = [python, "-m", "pip", "--version"]
        if subprocess.run(probe, env=environment, capture_output=True, check=False).returncode == 0:
            return python
    raise BootstrapError("pip is missing: install it (Debian: apt-get install python3-pip), then try again")


def _interpreters() -> list[str]:
    # Inside a virtual environment without pip, the Python that it was made from may have one.
    base: str = getattr(sys, "_base_executable", sys.executable)
    return list(dict.fromkeys([sys.executable, base]))


def _is_usable() -> bool:
    try:
        settings = (VENV / "pyvenv.cfg").read_text()
    except OSError:
        return False
    version = ".".join(map(str, sys.version_info[:3]))
    return PYTHON.exists() and any(
        line.replace(" ", "") == f"version={version}" for line in settings.splitlines()
    )


def _stamp(lock: Path) -> Path:
    return VENV / f".{lock.stem}.installed"


def _fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


@contextmanager
def _exclusive() -> Iterator[None]:
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _run_again(argv: list[str]) -> NoReturn:
    os.environ.pop("PYTHONPATH", None)
    os.environ.pop("PYTHONHOME", None)
    sys.stdout.flush()
    os.execv(PYTHON, [str(PYTHON), "-m", "agentops", *argv])
