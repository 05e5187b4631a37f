"""The harness itself: it attacks for real, and counts what became of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count as count_up

from runs.attacks.campaign import count_text_only, pairs_of, replay_suite, sample
from runs.attacks.layers import NONE
from runs.attacks.replay import Mode, replay_attack, replay_task
from runs.attacks.report import count, render
from runs.attacks.suite import State, Task, reads
from runs.models import ToolCall
from tests.attacks.conftest import Opens
from tests.attacks.small import ATTACKS, LOST, PAY, READ, SEND, SUITE, WIPE
from tests.attacks.suites import banking

VERDICTS: list[tuple[Task, str, Mode, str]] = [
    (READ, "send", "on_reading", "executed"),
    (READ, "send", "from_start", "executed"),
    (READ, "fetch", "on_reading", "executed"),
    (READ, "pay", "on_reading", "sent"),
    (READ, "wipe", "on_reading", "denied"),
    (READ, "diary", "on_reading", "unread"),
    (READ, "diary", "from_start", "executed"),
    (PAY, "wipe", "from_start", "denied"),  # the human who is asked is asked about the task, not the attack
]


def test_what_becomes_of_attacks(open_desk: Opens) -> None:
    desk = open_desk(SUITE, NONE)
    seen = [(t, a, mode, replay_attack(desk, t, ATTACKS[a], mode).verdict) for t, a, mode, _ in VERDICTS]
    assert seen == VERDICTS


def test_what_becomes_of_tasks(open_desk: Opens) -> None:
    desk = open_desk(SUITE, NONE)
    results = [replay_task(desk, task) for task in (READ, SEND, PAY, WIPE, LOST)]
    assert [(result.verdict, result.approvals) for result in results] == [
        ("passed", 0),
        ("passed", 0),
        ("passed", 1),
        ("failed", 0),
        ("failed", 0),
    ]


def test_a_task_that_ends_otherwise_has_not_passed(open_desk: Opens) -> None:
    """The right calls alone are not enough: each has to have had its effect once, and no other."""
    desk = open_desk(replace(SUITE, tools=SUITE.tools[:2]), NONE)
    numbers = count_up()

    def drift(state: State, to: str) -> int:
        state["done"].append(next(numbers))
        return 1

    drifting = replace(desk.suite, tools=[SUITE.tools[0], replace(SUITE.tools[1], function=drift)])
    assert replay_task(replace(desk, suite=drifting), SEND).verdict == "failed"


def test_a_refused_attack_is_tried_otherwise(open_desk: Opens) -> None:
    desk = open_desk(SUITE, NONE)
    replay_attack(desk, READ, ATTACKS["wipe"], "from_start")
    assert (
        list(ToolCall.objects.filter(tool_name="wipe").values_list("code", flat=True)) == ["cap_exceeded"] * 3
    )


def test_a_campaign_and_its_figures(open_desk: Opens) -> None:
    results = list(replay_suite(open_desk(SUITE, NONE), every=4))
    figures = count(results)
    assert (figures.tasks, figures.unasked, figures.approved, figures.approvals_per_task) == (3, 2, 1, 1 / 3)
    assert figures.attacks + figures.unread == 2 * len(sample(pairs_of(SUITE), 4)) > 0
    table = render(results, count_text_only(SUITE))
    assert table.count("on_reading") == 2
    assert table.endswith("not replayed: 3")


def test_what_is_not_read_is_known_beforehand() -> None:
    assert reads(SUITE, READ, ATTACKS["send"])
    assert not reads(SUITE, READ, ATTACKS["diary"])
    assert not reads(SUITE, PAY, ATTACKS["send"])


def test_what_the_user_asked_for_is_no_attack() -> None:
    pairs = [(task.id, attack.id) for task, attack in pairs_of(SUITE)]
    assert ("read", "own") in pairs
    assert ("send", "own") not in pairs
    assert ("read", "words") not in pairs


def test_a_sample_meets_most_attacks_and_is_always_the_same() -> None:
    pairs = pairs_of(banking.SUITE)
    chosen = sample(pairs, 9)
    assert chosen == sample(pairs, 9)
    assert len(pairs) / 18 < len(chosen) < len(pairs) / 4
    assert len({attack.id for _, attack in chosen}) > 8
    assert sample(pairs, 1) == pairs
