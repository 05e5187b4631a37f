"""Making ``.venv``: a real virtual environment, a real pip, a wheel made on the spot."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from agentops.runtime import bootstrap

PINNED = "tiny==1.0 --hash=sha256:{digest}\n"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Write the smallest wheel that pip accepts."""
    path = tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl"
    path.parent.mkdir()
    files = {
        "tiny.py": "answer = 42\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny-1.0.dist-info/RECORD": "tiny.py,,\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def checkout(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have an empty checkout with two lock files, and a pip that knows that wheel only."""
    root = tmp_path / "checkout"
    root.mkdir()
    for name, value in {
        "ROOT": root,
        "VENV": root / ".venv",
        "PYTHON": root / ".venv" / "bin" / "python",
        "RUNTIME_LOCK": root / "requirements.lock",
        "DEVELOPMENT_LOCK": root / "requirements-dev.lock",
    }.items():
        monkeypatch.setattr(bootstrap, name, value)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    pinned = PINNED.format(digest=hashlib.sha256(wheel.read_bytes()).hexdigest())
    for lock in (bootstrap.RUNTIME_LOCK, bootstrap.DEVELOPMENT_LOCK):
        lock.write_text(pinned)
    return root


def test_the_locked_wheels_are_installed_once(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bootstrap.install_locked(bootstrap.RUNTIME_LOCK)
    answer = subprocess.check_output([bootstrap.PYTHON, "-c", "import tiny; print(tiny.answer)"], text=True)
    assert answer == "42\n"
    assert not (bootstrap.VENV / "bin" / "pip").exists()
    assert "installing requirements.lock" in capfd.readouterr().err

    bootstrap.install_locked(bootstrap.RUNTIME_LOCK)
    assert capfd.readouterr().err == ""

    with bootstrap.RUNTIME_LOCK.open("a") as lock:
        lock.write("# changed\n")
    assert not bootstrap.is_installed(bootstrap.RUNTIME_LOCK)


def test_the_development_lock_serves_the_commands_too(checkout: Path) -> None:
    bootstrap.install_locked(bootstrap.DEVELOPMENT_LOCK)

    assert bootstrap.is_installed(bootstrap.RUNTIME_LOCK)


def test_another_file_than_the_locked_one_is_refused(checkout: Path) -> None:
    bootstrap.RUNTIME_LOCK.write_text(PINNED.format(digest="0" * 64))

    with pytest.raises(bootstrap.BootstrapError, match=r"could not install requirements\.lock"):
        bootstrap.install_locked(bootstrap.RUNTIME_LOCK)

    assert not bootstrap.is_installed(bootstrap.RUNTIME_LOCK)


def test_an_environment_of_another_python_is_made_anew(checkout: Path) -> None:
    bootstrap.VENV.mkdir()
    (bootstrap.VENV / "pyvenv.cfg").write_text("version = 3.9.1\n")
    (bootstrap.VENV / "left-over").touch()

    bootstrap.install_locked(bootstrap.RUNTIME_LOCK)

    assert not (bootstrap.VENV / "left-over").exists()


def test_no_pip_anywhere_says_what_to_do(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_interpreters", lambda: ["/bin/false"])

    with pytest.raises(bootstrap.BootstrapError, match="pip is missing"):
        bootstrap.install_locked(bootstrap.RUNTIME_LOCK)


def test_somebody_elses_installation_is_left_alone(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(bootstrap.OPT_OUT, "1")

    bootstrap.enter_environment(["up"])

    assert not bootstrap.VENV.exists()
