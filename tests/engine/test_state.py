from __future__ import annotations

from typing import Any

import pytest

from agentops.engine.state import CallState, RunState
from tests.engine.world import START

CALL: Any = CallState(1, "refund", "d" * 64)
RUN: Any = RunState(CALL, START)


@pytest.mark.parametrize("whole", [CALL, RUN])
def test_each_field_is_replaced_alone(whole: Any) -> None:
    for name in whole._fields:
        assert whole._replace(**{name: "other"}) == type(whole)(**{**whole._asdict(), name: "other"})
    assert type(whole._replace()) is type(whole)


@pytest.mark.parametrize("whole", [CALL, RUN])
def test_several_fields_are_replaced_together(whole: Any) -> None:
    names = whole._fields
    assert whole._replace(**dict.fromkeys(names, 0)) == tuple(0 for _ in names)


@pytest.mark.parametrize("whole", [CALL, RUN])
def test_a_field_that_there_is_not_cannot_be_replaced(whole: Any) -> None:
    with pytest.raises(KeyError, match="phaze"):
        whole._replace(phaze="ended")
