"""The example of docs/decisions.md does what the page says of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agentops.runtime.supervision import ROOT
from tools.decisions.coverage import check_coverage
from tools.decisions.results import NO_DECISION

pytestmark = pytest.mark.dmn


def test_the_example_of_the_page_works() -> None:
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "decisions.md").read_text(), re.DOTALL)
    assert example
    names: dict[str, Any] = {}  # whatever the page binds
    exec(compile(example[1], "docs/decisions.md", "exec"), names)  # noqa: S102 - our own page

    assert names["decision"].value is NO_DECISION
    assert [str(gap) for gap in check_coverage(names["refund"]).gaps] == [
        "days since purchase: (14..30]; opened: true"
    ]
