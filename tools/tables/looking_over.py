"""A draft looked over before it is published: what is wrong with it, what is missing, and how its cases come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentops.errors import ValidationFailed
from tools.decisions.cases import CaseResult, check_cases, run_cases
from tools.decisions.deciding import compile_definition, find_doubts
from tools.decisions.definitions import read_definition
from tools.decisions.errors import InvalidTable


@dataclass(frozen=True, slots=True)
class LookedOver:
    """``problems`` are words by place, ``doubts`` gaps and overlaps. Of wrong cells nothing else is known."""

    problems: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    cases: tuple[CaseResult, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether nothing but doubts stands against publishing it."""
        return not self.problems and not any(case.problem for case in self.cases)


def look_over(definition: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> LookedOver:  # Any: JSON
    """Return what is to be said of a draft. Nothing is raised: a draft may be wrong while it is written."""
    try:
        decider = compile_definition(read_definition(definition))
        checked = check_cases(cases)
    except InvalidTable as error:
        return LookedOver({problem.place: problem.words for problem in error.problems})
    except ValidationFailed as error:
        return LookedOver({"table": error.detail})
    return LookedOver({}, tuple(find_doubts(decider)), tuple(run_cases(decider, checked)))
