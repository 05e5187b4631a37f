"""A fork beside the run that it was forked from: what was changed, and where they part."""

from __future__ import annotations

from dataclasses import dataclass

from agentops.errors import NotFound
from runs.comparing import Comparison, compare_runs
from runs.forks.plans import Fork, read_fork
from runs.models import Run


@dataclass(frozen=True, slots=True)
class Report:
    """A fork, what it is of, and its calls in pairs with those of the recorded run, which is the first of the two."""

    fork: Fork
    comparison: Comparison

    @property
    def run(self) -> Run:
        """Return the fork itself."""
        return self.comparison.other


def read_report(run: Run) -> Report:
    """Return a fork beside its original; raises NotFound for a run that is none."""
    if run.fork_of is None:
        raise NotFound("unknown_fork", "The run is no fork.")
    return Report(read_fork(run.pk), compare_runs(run.fork_of, run))
