"""The rows behind a number of the oversight report: found by what counts them, so that the two are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals.considered import is_considered
from approvals.models import SecondLook
from approvals.oversight import Given, read_given, read_said, week_of
from identities.models import User

APPROVE, DISAGREE = "approve", SecondLook.Verdict.DISAGREE
DISAGREED = "disagreed"

TOLD: Mapping[str, Callable[[Given], bool]] = {
    "decided": lambda given: True,
    "approved": lambda given: given.verdict == APPROVE,
    "considered": lambda given: (
        given.verdict == APPROVE and bool(is_considered(given.opened_s, given.to_read, given.effect))
    ),
    "unopened": lambda given: given.verdict == APPROVE and given.opened_s is None,
}
WORDS = {
    "decided": "decided",
    "approved": "approved",
    "considered": "approved after having had it open for long enough to read",
    "unopened": "approved without having opened it by itself",
    DISAGREED: "approved, and a second person would not have",
}


@dataclass(frozen=True, slots=True)
class Behind:
    """Which decisions a number counts, the latest first, each by the request that it is about; and in words."""

    requests: tuple[UUID, ...]
    words: str


def read_behind(user: User, said: str, *, by: str, week: str, now: datetime) -> Behind:
    """Return what a number of the report counts: of a person, if one is named, and of one of the last four weeks."""
    found = _find_disagreed(user, by, now) if said == DISAGREED else _find_given(user, said, by, week, now)
    who = by or "people"
    when = f"in week {week} of the last four" if week else "in the last four weeks"
    return Behind(tuple(found), f"{who} {WORDS[said]}, {when}")


def _find_given(user: User, said: str, by: str, week: str, now: datetime) -> Iterator[UUID]:
    for given in read_given(user, now)[0]:
        is_meant = not by or given.name == by
        if is_meant and (not week or week_of(given, now) == int(week)) and TOLD[said](given):
            yield given.request


def _find_disagreed(user: User, by: str, now: datetime) -> Iterator[UUID]:
    for word in read_said(user, now):
        if word.verdict == DISAGREE and (not by or word.name == by):
            yield word.request
