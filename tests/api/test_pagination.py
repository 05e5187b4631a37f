from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.api.pagination import decode_cursor, encode_cursor, parse_number
from agentops.api.refusals import ApiError
from agentops.identifiers import new_id
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories import RunFactory


@given(st.uuids())
def test_a_cursor_leads_back_to_its_place(place: UUID) -> None:
    assert decode_cursor(encode_cursor(place), UUID) == place


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%%%",
        "ü",
        "=",
        encode_cursor(7),
        pytest.param(encode_cursor(new_id()) + "=", id="padded"),
        encode_cursor("not a place"),
        "\x00",
    ],
)
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(ApiError) as refused:
        decode_cursor(cursor, UUID)
    assert refused.value.status_code == 400


@pytest.mark.parametrize("text", ["-1", "1.0", "٣", "", "99999999999", "0x1"])
def test_a_number_is_digits(text: str) -> None:
    with pytest.raises(ValueError, match="not a place"):
        parse_number(text)


def test_pages_hold_every_row_once_newest_first(cast: Cast, callers: Callers) -> None:
    made = [RunFactory.create(agent_version__identity=cast.agent).pk for _ in range(7)]
    seen, cursor = [], ""
    for expected in (3, 3, 1):
        page = callers.bob.get(f"/runs?limit=3{cursor}").body
        assert len(page["data"]) == expected
        seen += [UUID(run["id"]) for run in page["data"]]
        RunFactory.create(agent_version__identity=cast.agent)  # what comes in meanwhile moves nothing
        assert page["has_more"] is (expected == 3)
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == sorted(made, reverse=True)


def test_exactly_one_page_has_no_next(cast: Cast, callers: Callers) -> None:
    for _ in range(2):
        RunFactory.create(agent_version__identity=cast.agent)
    page = callers.bob.get("/runs?limit=2").body
    assert (len(page["data"]), page["has_more"], page["next_cursor"]) == (2, False, None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=", "limit=-1", "cursor=nonsense", "cursor=", "state="]
)
def test_a_bad_page_is_refused(callers: Callers, query: str) -> None:
    answer = callers.bob.get(f"/runs?{query}")
    assert (answer.status, answer.code) == (400, "invalid_parameter")
