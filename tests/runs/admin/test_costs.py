"""Behind the line of a run's cost stands a table with the same points."""

from __future__ import annotations

import re

import pytest

from agentops.console.words import money
from runs.admin import pages
from runs.admin.pages import POINTS
from runs.models import Run
from runs.trace import read_costs
from tests.console.visits import page_of, sign_in
from tests.runs.admin.pages import MODEL
from tests.runs.company import ORDER, Company, proposes, says

pytestmark = [pytest.mark.console, pytest.mark.slow]


def check(company: Company, run: Run) -> None:
    """Hold the table against the line that it is behind, and its end against what the run has cost."""
    shown = sign_in(company.cast.bob).get(page_of(MODEL, "change", run.pk)).content.decode()
    _, opened = shown.split('id="cost-over-time"')
    behind = opened[: opened.index("</details>")]
    (line,) = re.findall(r'<polyline points="([^"]*)"', behind)
    heights = [float(point.split(",")[1]) for point in line.split()]
    drawn = [(heights[0] - height) / (heights[0] - heights[-1]) for height in heights]
    points = [spent for _, spent in read_costs(run, POINTS)]
    assert drawn == pytest.approx([float(spent / run.usd) for spent in points], abs=0.02)
    assert re.findall(r'<td class="number">([^<]*)</td>', behind) == [money(spent, "") for spent in points]
    assert (len(points), points[-1]) == (4, run.usd)
    assert len(re.findall(r'<th scope="row"><time datetime="[^"]+', behind)) == 4


def test_the_line_of_the_cost_has_its_points_in_a_table(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.add_reads()
    company.play(*(proposes(("look_up", ORDER)) for _ in range(2)), says("Done."))
    run = company.drive(company.start())
    assert run.usd > 0
    check(company, run)
    monkeypatch.setattr(pages, "read_costs", lambda of, points: read_costs(of, points)[:-1])
    with pytest.raises(AssertionError):
        check(company, run)
