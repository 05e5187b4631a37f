"""What no rule of a table covers, and what two rules claim: exactly, or not at all."""

from tools.decisions.coverage.checking import Coverage, Overlap, Region, check_coverage

__all__ = ["Coverage", "Overlap", "Region", "check_coverage"]
