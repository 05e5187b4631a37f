"""Callers and a company, as for the API."""

from __future__ import annotations

from tests.api.conftest import callers, company, keys

__all__ = ["callers", "company", "keys"]
