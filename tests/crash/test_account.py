"""The account: which effects are missing, doubled, or not known to the ledger."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from runs.chaos.effects import Effect, EffectFile, read_effects
from runs.chaos.kills import KINDS, draw_kills
from runs.chaos.verdict import settle_account
from runs.chaos.work import TURNS, draw_order

pytestmark = pytest.mark.crash

RUN = "01a2038d-5188-7c37-9dea-3158f768e979"
KEY = f"{RUN}:1:post:2"
MADE = Effect("W-1/1/post", KEY)


@pytest.mark.parametrize(
    ("state", "effects", "duplicates", "lost", "unrecorded"),
    [
        ("succeeded", [MADE], 0, 0, 0),
        ("succeeded", [], 0, 1, 0),
        ("succeeded", [MADE, MADE], 1, 0, 0),
        ("parked", [MADE], 0, 0, 0),
        ("parked", [], 0, 0, 0),
        ("parked", [MADE, MADE], 1, 0, 0),
        ("failed", [], 0, 0, 0),
        ("failed", [MADE], 0, 0, 1),
        ("started", [MADE], 0, 0, 1),
    ],
)
def test_each_recorded_outcome_allows_so_many_effects(
    state: str, effects: list[Effect], duplicates: int, lost: int, unrecorded: int
) -> None:
    account = settle_account({KEY: state}, effects, "post")

    assert (len(account.duplicates), len(account.lost), len(account.unrecorded)) == (
        duplicates,
        lost,
        unrecorded,
    )
    assert account.seen == len(effects)
    assert account.parked_effects == (state == "parked" and bool(effects))


def test_an_effect_of_which_the_ledger_knows_nothing_is_named() -> None:
    account = settle_account({}, [MADE], "post")

    assert account.unrecorded == [f"W-1/1/post under {KEY}, of which the ledger knows nothing"]


def test_the_same_effect_under_two_keys_is_a_duplicate() -> None:
    other = f"{RUN}:2:post:1"
    account = settle_account(
        {KEY: "succeeded", other: "succeeded"}, [MADE, Effect(MADE.effect, other)], "post"
    )

    assert account.duplicates == ["W-1/1/post, 2 times"]


def test_calls_of_other_tools_are_left_to_their_servers() -> None:
    account = settle_account({KEY: "succeeded"}, [], "credit")

    assert (account.expected, account.lost) == (0, [])


def test_effects_are_read_back_as_they_were_made(tmp_path: Path) -> None:
    effects = EffectFile(tmp_path / "effects")
    effects.perform(MADE)
    effects.perform(MADE)
    assert effects.perform_once(Effect("another", KEY)) == MADE

    assert read_effects(tmp_path / "effects") == [MADE, MADE]
    assert effects.find(KEY) == MADE
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
