"""A worker with one safeguard taken out: ``python -m tests.crash.mutant_worker NAME CELERY_ARGUMENTS…``."""

from __future__ import annotations

import sys
from importlib import import_module

import django
from celery.__main__ import main

if __name__ == "__main__":
    django.setup()  # what is mutated has models among its imports
    import_module("tests.crash.mutants").MUTANTS[sys.argv.pop(1)]()
    main()
