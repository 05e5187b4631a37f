"""The account: which effects are missing, doubled, never ordered, or not known to the ledger."""

from __future__ import annotations

import random
from pathlib import Path
from uuid import UUID

import pytest

from runs.chaos.account import Account, claim_effects, find_wrong_endings, settle_account
from runs.chaos.effects import Effect, EffectFile, read_effects
from runs.chaos.kills import KINDS, draw_kills
from runs.chaos.work import TURNS, Order, draw_order

pytestmark = pytest.mark.crash

RUN, OTHER = UUID("01a2038d-5188-7c37-9dea-3158f768e979"), UUID("01a2038d-5188-7c37-9dea-3158f768e97a")
ORDER = Order("W-1", (("credit", "post"), ("post", "credit")))
FIRST, SECOND = Effect("W-1/1/post", f"{RUN}:1:post:2"), Effect("W-1/2/post", f"{RUN}:2:post:1")
DONE = {FIRST.key: "succeeded", SECOND.key: "succeeded"}
CREDITS = {f"{RUN}:1:credit:1": "succeeded", f"{RUN}:2:credit:2": "succeeded"}


def settle(calls: dict[str, str], effects: list[Effect], tool: str = "post", order: Order = ORDER) -> Account:
    """Settle the account of one order's run."""
    return settle_account(claim_effects({RUN: order}, calls, tool), calls, effects, tool)


def faults_of(account: Account) -> dict[str, int]:
    """Return how often there is what must never be."""
    names = ("duplicates", "lost", "unrecorded", "unordered")
    return {name: figure for name, figure in account.figures().items() if name in names and figure}


@pytest.mark.parametrize(
    ("second", "effects", "expected", "faults"),
    [
        ("succeeded", [SECOND], 2, {}),
        ("succeeded", [], 2, {"lost": 1}),
        ("succeeded", [SECOND, SECOND], 2, {"duplicates": 1}),
        ("parked", [SECOND], 1, {}),
        ("parked", [], 1, {}),
        ("parked", [SECOND, SECOND], 1, {"duplicates": 1}),
        ("failed", [], 2, {"lost": 1}),  # the run went on without it
        ("failed", [SECOND], 2, {"unrecorded": 1}),
        ("started", [], 2, {"lost": 1}),
        ("started", [SECOND], 2, {"unrecorded": 1}),
    ],
)
def test_each_outcome_allows_so_many_effects(
    second: str, effects: list[Effect], expected: int, faults: dict[str, int]
) -> None:
    account = settle({**DONE, SECOND.key: second}, [FIRST, *effects])

    assert faults_of(account) == faults
    assert (account.effects_expected, account.effects_seen) == (expected, 1 + len(effects))
    assert account.parked_effects == (second == "parked" and bool(effects))


def test_what_was_ordered_and_never_proposed_is_lost() -> None:
    account = settle({FIRST.key: "succeeded"}, [FIRST])

    assert account.lost == ["W-1/2/post, never begun"]


@pytest.mark.parametrize(
    ("parked", "due", "doubtful"),
    [
        (None, {"W-1/1/post", "W-1/2/post"}, set()),
        (f"{RUN}:1:credit:1", set(), set()),
        (FIRST.key, set(), {"W-1/1/post"}),
        (SECOND.key, {"W-1/1/post"}, {"W-1/2/post"}),
        (f"{RUN}:2:credit:2", {"W-1/1/post", "W-1/2/post"}, set()),
        (f"{OTHER}:1:post:2", {"W-1/1/post", "W-1/2/post"}, set()),
    ],
)
def test_a_run_owes_all_that_comes_before_its_halt(
    parked: str | None, due: set[str], doubtful: set[str]
) -> None:
    calls = {**DONE, **CREDITS} | ({parked: "parked"} if parked else {})

    claim = claim_effects({RUN: ORDER}, calls, "post")

    assert (set(claim.due), set(claim.doubtful)) == (due, doubtful)


def test_an_effect_after_the_halt_was_not_ordered() -> None:
    account = settle({FIRST.key: "parked", SECOND.key: "succeeded"}, [FIRST, SECOND])

    assert account.unordered == ["W-1/2/post"]


def test_an_effect_of_nobodys_order_is_named() -> None:
    stranger = Effect("W-2/1/post", f"{OTHER}:1:post:1")
    account = settle({**DONE, stranger.key: "succeeded"}, [FIRST, SECOND, stranger])

    assert account.unordered == ["W-2/1/post"]


def test_an_effect_of_which_the_ledger_knows_nothing_is_named() -> None:
    account = settle({FIRST.key: "succeeded"}, [FIRST, SECOND])

    assert account.unrecorded == [f"W-1/2/post under {SECOND.key}, of which the ledger knows nothing"]


def test_the_same_effect_under_two_keys_is_a_duplicate() -> None:
    account = settle(DONE, [FIRST, SECOND, Effect(FIRST.effect, SECOND.key)])

    assert account.duplicates == ["W-1/1/post, 2 times"]


def test_calls_of_other_tools_are_left_to_their_servers() -> None:
    account = settle({**DONE, **CREDITS}, [], "credit", Order("W-1", (("post",), ("post",))))

    assert (account.effects_expected, account.lost) == (0, list(CREDITS))


@pytest.mark.parametrize(
    ("tool", "problems"), [("credit", [f"credit: parked: {RUN}:1:credit:1"]), ("post", [])]
)
def test_only_a_server_that_honours_keys_leaves_nothing_to_people(tool: str, problems: list[str]) -> None:
    calls = {f"{RUN}:1:{tool}:1": "parked"}

    assert settle(calls, [], tool, Order("W-1", ((tool,),))).problems(tool) == problems


@pytest.mark.parametrize(
    ("ending", "state", "problems"),
    [
        ("completed", "succeeded", []),
        ("halted/outcome_unknown", "parked", []),
        ("completed", "parked", [f"run {RUN} is completed, not halted/outcome_unknown"]),
        ("halted/outcome_unknown", "failed", [f"run {RUN} is halted/outcome_unknown, not completed"]),
        ("failed/planner_error", "started", [f"run {RUN} is failed/planner_error, not completed"]),
        ("running", "parked", [f"run {RUN} is running, not halted/outcome_unknown"]),
    ],
)
def test_a_run_halts_if_and_only_if_a_call_of_it_is_parked(
    ending: str, state: str, problems: list[str]
) -> None:
    assert find_wrong_endings([RUN], {RUN: ending}, {FIRST.key: state}) == problems


def test_every_run_is_known_on_both_sides() -> None:
    assert find_wrong_endings([RUN], {OTHER: "completed"}, {}) == [
        f"run {RUN} was acknowledged and is not there",
        f"run {OTHER} was never acknowledged",
    ]


def test_effects_are_read_back_as_they_were_made(tmp_path: Path) -> None:
    effects = EffectFile(tmp_path / "effects")
    effects.perform(FIRST)
    effects.perform(FIRST)
    assert effects.perform_once(Effect("another", FIRST.key)) == FIRST

    assert read_effects(tmp_path / "effects") == [FIRST, FIRST]
    assert effects.find(FIRST.key) == FIRST
    assert effects.find("unknown") is None


def test_the_same_seed_draws_the_same_campaign() -> None:
    drawn = [draw_kills(20, KINDS, random.Random(7)) for _ in range(2)]

    assert drawn[0] == drawn[1] != list(KINDS) * 2
    assert sorted(drawn[0]) == sorted(KINDS * 2)
    assert draw_order(1, random.Random(7)) == draw_order(1, random.Random(7))


def test_every_effect_of_an_order_has_its_own_name() -> None:
    orders = [draw_order(number, random.Random(1)) for number in (1, 2)]
    names = [
        call["arguments"]["effect"]
        for order in orders
        for turn in order.script(0.1)["turns"]
        for call in turn.get("tool_calls", ())
    ]

    assert len(names) == len(set(names)) == 2 * TURNS * 3
