"""The company of the runs' own tests, whose model is scripted and whose tools, driver and database are real."""

from tests.runs.conftest import company

__all__ = ["company"]
