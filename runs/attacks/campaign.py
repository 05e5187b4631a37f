"""A campaign over one suite: every task alone, then every attack on every task, in each mode."""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from runs.attacks.company import Desk
from runs.attacks.replay import ATTACKED, Result, replay_attack, replay_task, unread
from runs.attacks.suite import Attack, Suite, Task, reads

Pair = tuple[Task, Attack]


def replay_suite(desk: Desk, *, every: int = 1) -> Iterator[Result]:
    """Replay all tasks, and one in ``every`` of the pairs of a task and an attack that calls tools."""
    for task in desk.suite.tasks:
        yield replay_task(desk, task)
    for mode in ATTACKED:
        for task, attack in sample(pairs_of(desk.suite), every):
            if mode == "on_reading" and not reads(desk.suite, task, attack):
                yield unread(desk, task, attack)  # and nothing is driven that would be a task alone
            else:
                yield replay_attack(desk, task, attack, mode)


def pairs_of(suite: Suite) -> list[Pair]:
    """Return the pairs in which tools would be called that the user did not ask for, not like that."""
    return [
        (task, attack)
        for task in suite.tasks
        for attack in suite.attacks
        if any(suite.harms(call, task) for call in attack.calls)
    ]


def sample(pairs: list[Pair], every: int) -> list[Pair]:
    """Return about one in ``every``, always the same; by names, for a stride would meet few of the attacks."""
    return [(task, attack) for task, attack in pairs if crc32(f"{task.id}/{attack.id}".encode()) % every == 0]


def count_text_only(suite: Suite) -> int:
    """Return how many pairs there are that no policy on tools can do anything about."""
    return len(suite.tasks) * sum(not suite.acts(attack) for attack in suite.attacks)
