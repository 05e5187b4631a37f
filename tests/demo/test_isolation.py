"""The demo's servers know nothing of the platform that uses them."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import agentops.demo.planner.__main__, agentops.demo.shop.__main__
ours = {"config", "runs", "approvals", "tools", "identities", "django"}
print(sorted(name for name in sys.modules if name.split(".")[0] in ours
             or name.startswith("agentops.") and not name.startswith("agentops.demo")))
"""


def test_the_servers_import_neither_django_nor_the_platform() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
