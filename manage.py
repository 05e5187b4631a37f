#!/usr/bin/env python
"""Django's command line, with the database role that fits the command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a management command; ``migrate`` alone connects as the role that owns the schema."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] == ["migrate"]:
        enter_migration()

    from django.core.management import execute_from_command_line

    # Whoever typed `agentops apply` is told how to use that, and not a file that they have never called.
    execute_from_command_line([os.environ.get("AGENTOPS_PROG") or sys.argv[0], *sys.argv[1:]])


def enter_migration() -> None:
    """Connect as the owner; and between two statements of a migration Django may reckon for as long as it takes."""
    os.environ["DATABASE_URL"] = os.environ.get("DATABASE_OWNER_URL") or os.environ["DATABASE_URL"]
    unbounded = "-c idle_in_transaction_session_timeout=0"
    os.environ["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} {unbounded}".strip()


if __name__ == "__main__":
    main()
