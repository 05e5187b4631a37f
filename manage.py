#!/usr/bin/env python
"""Django's command line, with the database role that fits the command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a management command; ``migrate`` alone connects as the role that owns the schema."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    owner_url = os.environ.get("DATABASE_OWNER_URL")
    if owner_url and sys.argv[1:2] == ["migrate"]:
        os.environ["DATABASE_URL"] = owner_url

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
