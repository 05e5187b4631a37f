"""A burst of twenty times the usual load: urgent runs begin as if nothing were, nothing is lost, bulk ends later.

How long anything takes is printed and decides nothing; what is asserted is order and number. The usual load is a tenth
of what this machine carries out, measured first, so that the burst is twice of what it can do, wherever it runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.db import connection, transaction

from runs import queues, services
from runs.models import DeadLetter, Priority, Run, ToolCall
from tests.burst.load import (
    STEPS,
    THREADS,
    Floor,
    Offered,
    count_overtakers,
    measure_rate,
    measure_starts_ms,
    open_floor,
    quantile,
    read_starts_ms,
    tell,
)

pytestmark = [pytest.mark.slow, pytest.mark.burst, pytest.mark.django_db(transaction=True)]

BURST_S = float(os.environ.get("BURST_S", "60"))
USUAL = 0.1  # of what the machine can do
TIMES = 20
URGENT_PER_S = 2.0
# Whatever a worker's threads hold already when an urgent run comes, and as much again that they take meanwhile.
MOST_OVERTAKERS = 2 * THREADS
CROWD = 10 * THREADS


@pytest.fixture
def floor() -> Iterator[Floor]:
    with open_floor() as opened:
        yield opened


def test_a_burst_of_twenty_times_the_load(floor: Floor, capsys: pytest.CaptureFixture[str]) -> None:
    rate, unloaded_ms = measure_rate(floor), measure_starts_ms(floor)
    floor.offered = Offered()

    floor.offer(BURST_S, TIMES * USUAL * rate, URGENT_PER_S)
    accepted, refused = floor.offered.accepted, floor.offered.refused
    urgent, bulk = accepted[Priority.HIGH], accepted[Priority.LOW]
    left = Run.objects.filter(pk__in=bulk, ended_at=None).count()
    floor.await_ended([*urgent, *bulk])

    starts_ms, overtakers = read_starts_ms(urgent), count_overtakers(urgent)
    late = quantile(starts_ms, 0.99) / quantile(unloaded_ms, 0.99)
    with capsys.disabled():
        print(f"\nthe machine carries out {rate:.1f} runs/s of {STEPS} steps; offered in {BURST_S:.0f} s: "
              f"{len(bulk) + refused[Priority.LOW]} bulk, {len(urgent) + refused[Priority.HIGH]} urgent")  # fmt: skip
        print(tell("urgent, unloaded", unloaded_ms))
        print(tell("urgent, in the burst", starts_ms), f"({late:.1f} times at p99)")
        print(tell("bulk, in the burst", read_starts_ms(bulk)))
        print(f"overtaken by bulk: p50 {quantile(overtakers, 0.5)}, most {overtakers[-1]}; "
              f"put off {refused[Priority.LOW]} bulk, {refused[Priority.HIGH]} urgent; {left} bulk ran on")  # fmt: skip

    assert quantile(overtakers, 0.99) <= MOST_OVERTAKERS
    assert refused[Priority.HIGH] == 0, "bulk sheds first"
    assert left > 0, "it was no burst: bulk ends later"
    assert_nothing_lost(len(urgent) + len(bulk), {Priority.HIGH, Priority.LOW})


def assert_nothing_lost(number: int, priorities: set[Priority]) -> None:
    """Fail unless all that was accepted is complete, each step of it once."""
    runs = Run.objects.filter(priority__in=priorities, state="completed")
    assert runs.count() >= number
    assert not Run.objects.exclude(state="completed").exists()
    assert not DeadLetter.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM runs_run WHERE tool_calls <> %s", [STEPS])
        assert cursor.fetchone() == (0,)
    assert ToolCall.objects.filter(state="succeeded", attempts=1).count() == Run.objects.count() * STEPS


def overtake(floor: Floor) -> list[int]:
    """Have a crowd of bulk wait, then some urgent runs come; return by how many each was overtaken."""
    with transaction.atomic():  # all of it at once: one by one workers would keep up
        crowd = [floor.begin(Priority.LOW) for _ in range(CROWD)]
    urgent = [run for _ in range(5) if (run := floor.begin(Priority.HIGH))]
    floor.await_ended([*filter(None, crowd), *urgent])
    return count_overtakers(urgent)


def test_an_urgent_run_passes_a_crowd(floor: Floor) -> None:
    assert overtake(floor)[-1] <= MOST_OVERTAKERS


def test_in_one_queue_for_all_it_would_stand_behind_it(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (services, queues):  # as it starts, and as it is swept
        monkeypatch.setattr(module, "queue_of", lambda _: "bulk")
    assert overtake(floor)[0] > MOST_OVERTAKERS
