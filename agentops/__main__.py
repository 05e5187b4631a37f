"""``python3 -m agentops``."""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - before an import that older ones cannot parse
    sys.exit(
        f"agentops needs Python 3.11 or newer, this is {sys.version.split()[0]}: try python3.12 -m agentops"
    )

from agentops.runtime.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
