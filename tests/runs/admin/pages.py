"""The page of a run, and words that must never become more than text on it."""

from __future__ import annotations

from django.test import Client

from runs.models import Run
from tests.console.visits import Page, page_of

MODEL = "runs_run"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def show(client: Client, run: Run) -> Page:
    return client.get(page_of(MODEL, "change", run.pk))
