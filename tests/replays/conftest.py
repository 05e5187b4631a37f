"""The desk whose effects other suites undo: real workers, real tool servers, one file of all that has happened."""

from tests.runs.conftest import company
from tests.undo.conftest import desk

__all__ = ["company", "desk"]
