"""Whose yes counts, said once more in plain Python: what the services, the database and the gate are compared with.

It knows nothing of theirs: people with rights and duties, absences, stages, and what was said so far.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DESK, HEADS = "desk", "heads"


@dataclass
class Somebody:
    """``is_given``: the calls of the tool are theirs to approve; ``has_others``: those of another tool of the team."""

    is_given: bool = False
    has_others: bool = False
    groups: frozenset[str] = frozenset()
    part: str = ""
    is_active: bool = True
    audits: bool = False

    @property
    def decides(self) -> bool:
        """Return whether they decide about anything at all."""
        return self.is_active and not self.audits


@dataclass
class Away:
    absent: int
    deputy: int
    group: str | None = None
    elsewhere: bool = False  # it is about another tool
    is_now: bool = True
    is_ended: bool = False


@dataclass
class Said:
    who: int
    seat: int
    stage: int
    verdict: str
    absence: int | None


@dataclass
class Model:
    """One request. ``desk_is_given``: the group `desk` has the tool's calls to approve."""

    people: list[Somebody]
    absences: list[Away]
    stages: list[tuple[int, str | None]]
    desk_is_given: bool
    said: list[Said] = field(default_factory=list)
    state: str = "waiting"

    @property
    def stage(self) -> int:
        """Return the first stage that has not its people, from 1."""
        for place, (needed, _) in enumerate(self.stages, start=1):
            if len(self.yes_in(place)) < needed:
                return place
        return len(self.stages)

    def yes_in(self, place: int) -> list[Said]:
        return [each for each in self.said if each.stage == place and each.verdict == "approve"]

    def approves(self, who: int) -> bool:
        person = self.people[who]
        return person.is_given or (self.desk_is_given and DESK in person.groups)

    def is_asked(self, who: int, place: int, only: str | None = None) -> bool:
        """Return whether a stage asks somebody who may approve; ``only`` as one of a group."""
        asked, groups = self.stages[place - 1][1], self.people[who].groups
        if not self.approves(who) or (asked is not None and asked not in groups):
            return False
        if only is None:
            return True
        return only in groups and (asked == only or (asked is None and only == DESK and self.desk_is_given))

    def stands(self, absence: Away) -> bool:
        return absence.is_now and not absence.is_ended

    def is_apart(self, who: int) -> bool:
        """Return whether somebody has no part, and stands in for nobody who has."""
        for absence in self.absences:
            about_this = self.stands(absence) and absence.deputy == who and not absence.elsewhere
            if about_this and self.people[absence.absent].part:
                return False
        return not self.people[who].part

    def may_stand_in(self, who: int, absence: Away, place: int) -> bool:
        deputy, absent = self.people[who], self.people[absence.absent]
        return (
            self.stands(absence)
            and absence.deputy == who
            and not absence.elsewhere
            and absent.decides
            and self.is_apart(absence.absent)
            and self.is_asked(absence.absent, place, absence.group)
            and (self.approves(who) or deputy.has_others)
        )

    def find_seat(self, who: int) -> tuple[int, int | None] | None:
        """Return whose seat somebody would take now, and by which absence; None: they may not decide."""
        if self.state != "waiting" or not self.people[who].decides or not self.is_apart(who):
            return None
        if any(each.who == who for each in self.said):
            return None
        taken = {each.seat for each in self.said}
        if who not in taken and self.is_asked(who, self.stage):
            return who, None
        for number, absence in enumerate(self.absences):
            if absence.absent not in taken and self.may_stand_in(who, absence, self.stage):
                return absence.absent, number
        return None

    def say(self, who: int, verdict: str) -> None:
        """Have somebody press; where they may not, nothing happens."""
        seat = self.find_seat(who)
        if seat is None:
            return
        place = self.stage
        self.said.append(Said(who, seat[0], place, verdict, seat[1]))
        if verdict == "deny":
            self.state = "denied"
        elif all(
            len(self.yes_in(number)) >= needed for number, (needed, _) in enumerate(self.stages, start=1)
        ):
            self.state = "approved"

    def counts_still(self, said: Said) -> bool:
        """Return whether the gate takes a yes when the call goes out: its right is looked at again, its time is not."""
        person = self.people[said.who]
        if not person.decides or person.part == "owner":
            return False
        if said.absence is None:
            return self.is_asked(said.who, said.stage)
        absence, absent = self.absences[said.absence], self.people[said.seat]
        return (
            not absence.is_ended
            and absent.decides
            and absent.part != "owner"
            and self.is_asked(said.seat, said.stage, absence.group)
            and (self.approves(said.who) or person.has_others)
        )

    @property
    def lets_out(self) -> bool:
        """Return whether an approved request is still approved by enough."""
        return all(
            sum(self.counts_still(each) for each in self.yes_in(place)) >= needed
            for place, (needed, _) in enumerate(self.stages, start=1)
        )
