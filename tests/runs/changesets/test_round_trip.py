"""What a run proposes is not done; what people accept of it is, once, in order, and told item by item."""

from __future__ import annotations

from agentops.engine import events as e
from runs.changesets.reviewing import apply_changes
from runs.models import ChangeSet, Run
from tests.runs.changesets.proposing import (
    MAIL,
    REFUND,
    carry_out,
    comment,
    offered,
    prepare,
    propose,
    review,
)
from tests.runs.company import ORDER, Company, proposes, says


def test_what_is_proposed_is_staged_and_nothing_is_done(company: Company) -> None:
    prepare(company)
    made = propose(company, ("look_up", ORDER), REFUND, MAIL)
    assert (company.world.attempts, company.world.effects) == (["look_up"], [])
    assert company.states(made.run) == [("succeeded", "ok"), ("staged", ""), ("staged", "")]
    assert (made.size, made.version, made.worst_effect) == (2, 1, "irreversible")
    assert (made.run.state, made.run.required_actions) == (
        "requires_action",
        [{"type": "review", "id": str(made.pk)}],
    )
    told = company.observations()[-1]
    assert told["staged"] == 2
    assert "Nothing was changed" in told["detail"]
    assert "read shows the world as it is" in told["detail"]


def test_what_was_accepted_is_carried_out_in_order_and_the_run_is_complete(company: Company) -> None:
    prepare(company)
    made = propose(company)
    assert all(each.is_taken for each in review(company, made))
    applying = carry_out(company, made)
    assert company.world.attempts == ["refund", "send_email"]
    assert company.world.effects == [f"{made.pk}:1:refund:1", f"{made.pk}:1:send_email:2"]
    assert company.content(applying, e.RUN_COMPLETED)["answer"] == (
        "item 1 (refund): done\nitem 2 (send_email): done"
    )
    assert (applying.kind, applying.applies_id) == ("apply", made.run_id)
    assert company.drive(made.run).state == "completed"
    made.refresh_from_db()
    assert (made.state, made.settled_by) == (ChangeSet.State.APPLIED, company.cast.fiona)


def test_part_of_it_is_accepted(company: Company) -> None:
    prepare(company)
    made = propose(company)
    review(company, made, verdicts={1: "deny", 2: "approve"})
    applying = carry_out(company, made)
    assert company.world.attempts == ["send_email"]
    assert company.content(applying, e.RUN_COMPLETED)["answer"] == "item 2 (send_email): done"


def test_nothing_of_it_is_accepted(company: Company) -> None:
    prepare(company)
    made = propose(company)
    review(company, made, verdicts={1: "deny", 2: "deny"})
    done = apply_changes(actor=company.cast.fiona, change_set=made, digest=made.digest)
    assert done.state == ChangeSet.State.DECLINED
    assert not Run.objects.filter(pk=made.pk).exists()
    assert company.drive(made.run).state == "completed"
    assert company.world.attempts == []


def test_another_round_supersedes_the_first(company: Company) -> None:
    prepare(company)
    first = propose(company)
    comment(company, first, comments={0: "Half of that.", 2: "Friendlier."})
    company.play(proposes(REFUND), says("Only the refund."))
    company.drive(first.run)
    second = offered(first.run)
    first.refresh_from_db()
    assert (first.state, second.version, second.size) == (ChangeSet.State.SUPERSEDED, 2, 1)
    [told] = [m["content"] for m in company.asked()[-1]["messages"] if "sent_back_by" in str(m["content"])]
    assert "Friendlier." in told
    review(company, second)
    carry_out(company, second)
    assert company.world.effects == [f"{second.pk}:1:refund:1"]
