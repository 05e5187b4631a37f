"""All 74 requests through the REST API, approvals included; each shop ends as the recorded calls leave it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.retail.dataset import load_database, load_requests, load_tools, needs_data
from tests.retail.desk import Approver, Desk, needs_person, open_desk, play
from tests.retail.server import build_app

pytestmark = [pytest.mark.retail, pytest.mark.slow, needs_data, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, build_app(load_database(), load_tools())) as opened:
        yield opened


def test_all_requests_one_after_another_and_all_at_once(desk: Desk) -> None:
    requests = load_requests()
    for_people = sum(needs_person(action) for request in requests for action in request["actions"])
    assert for_people > len(requests) == 74

    approver = Approver(desk)
    single = sum(play(desk, approver, [request], "single") for request in requests)
    print(f"retail, one after another: {single}/{len(requests)}; {approver.decided} approvals")
    assert (single, approver.decided) == (74, for_people)

    approver = Approver(desk)
    concurrent = play(desk, approver, requests, "concurrent")
    print(f"retail, all at once: {concurrent}/{len(requests)}; {approver.decided} approvals")
    assert (concurrent, approver.decided) == (74, for_people)
