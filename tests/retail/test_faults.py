"""The 74 requests once more, with replies lost and a server that misbehaves: the same ends, each effect once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.retail.dataset import load_database, load_requests, load_tools, needs_data
from tests.retail.desk import Approver, Desk, open_desk, play, replay_directly
from tests.retail.faults import KINDS, TIMEOUT_S, LosesReplies, Misbehaves
from tests.retail.server import build_app

pytestmark = [
    getattr(pytest.mark, "retail-faults"),
    pytest.mark.slow,
    needs_data,
    pytest.mark.django_db(transaction=True),
]

# Every write fails at least once here, and the breaker is not what is tried: it would rightly stop all of it.
PATIENT = {
    "timeout_s": TIMEOUT_S,
    "max_attempts": 5,
    "backoff_base_s": 0.05,
    "backoff_cap_s": 1,
    "breaker": {"consecutive_failures": 1_000_000, "minimum_calls": 1_000_000, "window_s": 0.12},
}


def _effects_of(desk: Desk, shop: str) -> list[dict[str, Any]]:
    effects: list[dict[str, Any]] = httpx2.get(f"{desk.shops}/shops/{shop}/effects").json()["effects"]
    return effects


def _count_exact(desk: Desk, purpose: str) -> int:
    """Return in how many shops exactly the recorded changes were made, in order, each under a key of its own."""
    exact = 0
    for request in load_requests():
        effects = _effects_of(desk, f"{purpose}-{request['id']}")
        made = [(effect["tool"], effect["arguments"]) for effect in effects]
        exact += made == replay_directly(request)[1] and len({each["key"] for each in effects}) == len(
            effects
        )
    return exact


def test_every_reply_of_every_write_is_lost(tmp_path: Path) -> None:
    shops = LosesReplies(build_app(load_database(), load_tools()))
    with open_desk(tmp_path, shops, {**PATIENT, "idempotency": "read_back"}) as desk:
        same = play(desk, Approver(desk), load_requests(), "lost")
        exact = _count_exact(desk, "lost")
    print(
        f"retail-faults, replies lost: {same}/74 as recorded, {exact}/74 exactly once; {dict(shops.counts)}"
    )
    assert (same, exact) == (74, 74)
    assert shops.counts["effect made"] == sum(len(replay_directly(each)[1]) for each in load_requests())


def test_a_server_that_doubles_delays_reorders_and_breaks_after_the_commit(tmp_path: Path) -> None:
    shops = Misbehaves(build_app(load_database(), load_tools()))
    with open_desk(tmp_path, shops, PATIENT) as desk:
        same = play(desk, Approver(desk), load_requests(), "faults")
        exact = _count_exact(desk, "faults")
    print(f"retail-faults, misbehaving: {same}/74 as recorded, {exact}/74 exactly once; {dict(shops.counts)}")
    assert (same, exact) == (74, 74)
    assert all(shops.counts[kind] for kind in KINDS), shops.counts
