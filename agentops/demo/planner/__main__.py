"""``python -m agentops.demo.planner``: serve scripted turns until stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from agentops.demo.loopback import add_port, serve
from agentops.demo.planner.app import build_app
from agentops.demo.planner.script import SHIPPED, ScriptError, load_scripts


def main() -> None:
    """Read the command line and serve. Exits 1 when a script cannot be played or the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m agentops.demo.planner",
        description="An OpenAI-compatible server that plays scripted turns.",
    )
    add_port(parser)
    parser.add_argument(
        "--scripts", metavar="DIR", type=Path, default=SHIPPED, help="folder of scripts to start with"
    )
    arguments = parser.parse_args()
    try:
        scripts = load_scripts(arguments.scripts)
    except ScriptError as error:
        raise SystemExit(f"planner: {error}") from error
    serve(build_app(scripts), arguments.port, "planner")


if __name__ == "__main__":
    main()
