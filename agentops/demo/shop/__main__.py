"""``python -m agentops.demo.shop``: serve the shop until it is stopped."""

from __future__ import annotations

import argparse
import sqlite3

from agentops.demo.loopback import add_port, serve
from agentops.demo.shop.app import build_app
from agentops.demo.shop.store import Store


def main() -> None:
    """Read the command line and serve. Exits 1 when the state file cannot be used or the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m agentops.demo.shop", description="The demo's online shop."
    )
    add_port(parser)
    parser.add_argument(
        "--state", metavar="FILE", default=":memory:", help="keep the shop's state in this SQLite file"
    )
    arguments = parser.parse_args()
    try:
        store = Store(arguments.state)
    except sqlite3.Error as error:
        raise SystemExit(f"shop: cannot use {arguments.state}: {error}") from error
    serve(build_app(store), arguments.port, "shop")


if __name__ == "__main__":
    main()
