"""Teams take turns: one with ten thousand runs that are due does not stand before one with a single run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from agentops.database import borrowed
from identities.models import Team
from runs import admission, driver, lease_rows, tasks, turns_of_teams
from runs.models import Priority, Run
from runs.turns_of_teams import find_due, read_urgencies
from tests.factories import RunFactory, TeamFactory
from tests.locking import RUN, held
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, says
from tests.runs.plans import explain_with_only

pytestmark = pytest.mark.django_db(transaction=True)

_MANY = """
INSERT INTO runs_run SELECT (jsonb_populate_record(r, jsonb_build_object(
    'id', gen_random_uuid(), 'wake_at', clock_timestamp() - make_interval(secs => 100 - number * 0.001)))).*
FROM runs_run r, generate_series(1, %s) AS number WHERE r.id = %s
"""


def make_due(
    team: Team, number: int, *, late_s: float = 10, priority: Priority = Priority.NORMAL
) -> list[Run]:
    """Make runs of a team that are due, the first for the longest."""
    now = timezone.now() - timedelta(seconds=late_s)
    return [
        RunFactory.create(team=team, priority=priority, wake_at=now + timedelta(milliseconds=each))
        for each in range(number)
    ]


def crowd(team: Team, number: int) -> Run:
    """Have so many runs of a team wait, for longer than any other; return one of them."""
    [one] = make_due(team, 1, late_s=200)
    with connection.cursor() as cursor:
        cursor.execute(_MANY, [number - 1, one.pk])
    return one


def take(named: UUID, number: int = 1) -> list[UUID]:
    """Have messages that name one run taken, one after the other; return which teams' runs are driven for them."""
    with borrowed() as lent, lent.cursor() as cursor:
        taken = [
            lease_rows.take_lease_in_turn(cursor, named, owner="a test", lease_s=60) for _ in range(number)
        ]
    return [each[2].team_id for each in taken if each is not None]


def test_a_team_with_one_run_does_not_wait_for_one_with_ten_thousand() -> None:
    big, small = TeamFactory.create(), TeamFactory.create()
    one = crowd(big, 10_000)
    make_due(small, 1, late_s=1)
    assert take(one.pk, 4) == [big.pk, small.pk, big.pk, big.pk]


def test_without_the_count_of_what_is_driven_it_would(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite_text(monkeypatch, lease_rows, "_LEASE_IN_TURN", "ORDER BY driven.runs, ", "ORDER BY ")
    one = crowd(TeamFactory.create(), 50)
    make_due(TeamFactory.create(), 1, late_s=1)
    assert len(set(take(one.pk, 10))) == 1


def test_while_others_wait_each_has_its_share_of_what_is_driven() -> None:
    big, *small = (TeamFactory.create() for _ in range(3))
    one = crowd(big, 100)
    assert take(one.pk, 8) == [big.pk] * 8, "alone it may have all"
    for team in small:
        make_due(team, 20, late_s=1)
    assert Counter(take(one.pk, 16)) == {small[0].pk: 8, small[1].pk: 8}
    assert Counter(take(one.pk, 6)) == {big.pk: 2, small[0].pk: 2, small[1].pk: 2}


class TestShares(TestCase):
    @hypothesis_settings(max_examples=15)
    @given(st.lists(st.integers(1, 12), min_size=2, max_size=4), st.integers(1, 20))
    def test_no_team_that_still_waits_has_two_fewer_than_another(
        self, sizes: Sequence[int], number: int
    ) -> None:
        teams = [TeamFactory.create() for _ in sizes]
        due = {team.pk: make_due(team, size) for team, size in zip(teams, sizes, strict=True)}
        had: Counter[UUID] = Counter()
        with connection.cursor() as cursor:
            for _ in range(min(number, sum(sizes))):
                taken = lease_rows.take_lease_in_turn(
                    cursor, due[teams[0].pk][0].pk, owner="a test", lease_s=60
                )
                assert taken is not None, "each message has one run driven"
                had[taken[2].team_id] += 1
        waiting = [had[team] for team, runs in due.items() if had[team] < len(runs)]
        assert not waiting or max(had.values()) <= min(waiting) + 1


def test_each_message_has_one_run_driven_and_nothing_is_driven_twice() -> None:
    one, *_ = make_due(TeamFactory.create(), 12)
    make_due(TeamFactory.create(), 12)
    with ThreadPoolExecutor(8) as pool:
        teams = [team for found in pool.map(lambda _: take(one.pk), range(24)) for team in found]
    driven = Run.objects.filter(lease_until__isnull=False)
    assert (len(teams), driven.count(), max(driven.values_list("lease_epoch", flat=True))) == (24, 24, 1)
    assert take(one.pk) == []


def take_beside_another(first: Run) -> list[UUID]:
    """Take what is due while somebody is about to take the run whose turn it is."""
    with held(RUN, first.pk):
        return take(first.pk)


def test_who_finds_the_run_whose_turn_it_is_taken_drives_one_of_the_next_team() -> None:
    """A message that has nothing driven while something is due leaves that to the sweeper."""
    [first], [second] = make_due(TeamFactory.create(), 1, late_s=50), make_due(TeamFactory.create(), 1)
    assert take_beside_another(first) == [second.team_id]


def test_who_looked_at_one_team_only_would_find_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite_text(
        monkeypatch,
        lease_rows,
        "_LEASE_IN_TURN",
        "waiting.team_id\n), next",
        "waiting.team_id LIMIT 1\n), next",
    )
    [first], _ = make_due(TeamFactory.create(), 1, late_s=50), make_due(TeamFactory.create(), 1)
    assert take_beside_another(first) == []


def test_only_runs_of_the_same_priority_are_driven_instead() -> None:
    team = TeamFactory.create()
    [low] = make_due(team, 1, late_s=50, priority=Priority.LOW)
    [high] = make_due(team, 1, priority=Priority.HIGH)
    take(high.pk)
    assert list(Run.objects.filter(lease_until__isnull=False)) == [high]
    assert Run.objects.get(pk=low.pk).lease_epoch == 0


def test_a_run_that_only_rests_is_driven_itself_for_somebody_knows_more() -> None:
    team = TeamFactory.create()
    make_due(team, 3)
    resting = RunFactory.create(team=team, wake_at=None)
    take(resting.pk)
    assert list(Run.objects.filter(lease_until__isnull=False)) == [resting]


def test_a_message_for_a_run_that_is_driven_serves_another_and_disturbs_nobody() -> None:
    first, second = make_due(TeamFactory.create(), 2)
    take(first.pk)
    assert driver.drive_in_turn(first.pk) is None
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.wake_at, second.lease_epoch) == (None, 1)


def test_a_worker_drives_by_turns_what_a_queue_of_runs_names_and_exactly_what_another_names(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    drives: list[tuple[str, UUID]] = []

    def note(how: str, run: UUID) -> None:
        drives.append((how, run))

    monkeypatch.setattr(tasks, "drive_run", partial(note, "exactly"))
    monkeypatch.setattr(tasks, "drive_in_turn", partial(note, "in turn"))
    company.play(says("Done."))
    run = company.start()
    for queue in ("critical", "high", "normal", "bulk"):
        tasks.drive.apply((str(run.pk),), routing_key=queue)
    assert [how for how, _ in drives] == ["exactly", "in turn", "in turn", "in turn"]


# --- the sweeper ------------------------------------------------------------------------------------------


def sweep(limit: int) -> list[UUID]:
    with borrowed() as lent, lent.cursor() as cursor:
        return find_due(cursor, limit)


def test_a_sweep_takes_of_each_team_in_turn_and_the_most_urgent_first() -> None:
    big, small = TeamFactory.create(), TeamFactory.create()
    crowd(big, 1_000)
    few = make_due(small, 2, late_s=1)
    urgent = make_due(small, 1, late_s=1, priority=Priority.HIGH)
    found = sweep(10)
    assert (len(found), found[0], found[2], found[4]) == (10, urgent[0].pk, few[0].pk, few[1].pk)


def test_without_the_turn_it_would_take_the_crowd_only(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite_text(monkeypatch, turns_of_teams, "_SWEPT", "due.turn, due.due_at", "due.due_at")
    crowd(TeamFactory.create(), 100)
    [one] = make_due(TeamFactory.create(), 1, late_s=1)
    assert one.pk not in sweep(10)


def test_who_has_waited_for_an_hour_is_as_urgent_as_the_next_priority() -> None:
    team = TeamFactory.create()
    [late] = make_due(team, 1, late_s=3_700, priority=Priority.LOW)
    [latest] = make_due(TeamFactory.create(), 1, late_s=9_000, priority=Priority.LOW)
    normal, *_ = make_due(team, 3)
    assert sweep(3)[:2] == [latest.pk, late.pk]
    resting = RunFactory.create(team=team, wake_at=None, priority=Priority.LOW)
    with borrowed() as lent, lent.cursor() as cursor:
        urgencies = read_urgencies(cursor, [late.pk, latest.pk, normal.pk, resting.pk])
    assert urgencies == {late.pk: 1, latest.pk: 2, normal.pk: 1, resting.pk: 0}


def test_looking_for_what_is_due_takes_the_index_and_no_run_that_rests() -> None:
    plan = explain_with_only("run_due_in_turn", "runs_run", turns_of_teams._SWEPT, {"limit": 200})
    assert "run_due_in_turn" in plan
    assert "statement_timestamp" in plan.split("Index Cond")[1].split("\n")[0]


# --- admission --------------------------------------------------------------------------------------------


def hold_back(team: Team, number: int) -> list[Run]:
    return [
        RunFactory.create(team=team, needs_review=True, state="queued", status_reason="review_capacity")
        for _ in range(number)
    ]


def let_in() -> list[UUID]:
    with borrowed() as lent, lent.cursor() as cursor:
        return admission.find_admissible(cursor)


def test_who_is_let_in_is_of_each_team_in_turn() -> None:
    big, small = hold_back(TeamFactory.create(), 6), hold_back(TeamFactory.create(), 2)
    by_team = [Run.objects.get(pk=run).team_id for run in let_in()]
    assert Counter(by_team[:4]) == {big[0].team_id: 2, small[0].team_id: 2}
    assert len(by_team) == 8


def test_without_turns_one_team_would_come_before_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    big, small = hold_back(TeamFactory.create(), 6), hold_back(TeamFactory.create(), 6)
    rewrite(
        monkeypatch, admission, "find_admissible",
        "for turn in zip_longest(*found) for run in turn if run is not None", "for turn in found for run in turn",
    )  # fmt: skip
    first = {Run.objects.get(pk=run).team_id for run in let_in()[:6]}
    assert first in ({big[0].team_id}, {small[0].team_id})
