from __future__ import annotations

from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import busy



def test_a_run_looks_up_acts_and_answers(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund")
    run = company.run(proposes(("look_up", ORDER)), proposes(("refund", ORDER)), says("Refunded."))
    assert (run.state, run.status_reason, run.steps, run.tool_calls) == ("completed", "", 3, 2)
    assert company.content(run, "run.completed") == {"answer": "Refunded."}
    assert company.states(run) == [("succeeded", "ok"), ("succeeded", "ok")]
    assert len(company.world.effects) == 1
    company.verify()


def test_a_write_that_had_no_effect_is_tried_again_under_its_key(company: Company) -> None:
    company.add_tool("refund")
    company.world.mishaps.extend([busy])
    run = company.run(proposes(("refund", ORDER)), says("Refunded."))
    assert company.states(run) == [("succeeded", "ok")]
    assert [facts["attempt"] for facts in company.facts(run, "attempt.started")] == [1, 2]
