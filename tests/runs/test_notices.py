"""What is told of a run: written with the entry, where somebody wants to know."""

from __future__ import annotations

import pytest

from approvals.models import Notice
from runs.notices import ENDED, HANDOVER_OPENED, QUESTION_ASKED
from tests.approvals.notices.conftest import deliver_all, make_channel, receiver
from tests.approvals.notices.receivers import Receiver
from tests.rewriting import rewrite_appends
from tests.runs.company import Company, proposes, says

__all__ = ["receiver"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_application_is_told_that_its_run_has_ended(company: Company, receiver: Receiver) -> None:
    company.publish()
    _, secret = make_channel(company.cast, receiver.url, application=company.cast.application)
    run = company.run(says("Done."))
    notice = Notice.objects.get()
    assert (notice.kind, notice.subject, notice.application_id) == (ENDED, run.pk, run.application_id)
    assert deliver_all() == ["204"]
    event = receiver.posted[0].verify(secret)
    assert event["type"] == "run.ended"
    assert (event["data"]["run"], event["data"]["state"]) == (str(run.pk), "completed")
    assert event["data"]["url"].endswith(f"/runs/run/{run.pk}/change/")


@pytest.mark.parametrize(
    ("tool", "argument", "kind"),
    [("ask_user", "question", QUESTION_ASKED), ("hand_over", "reason", HANDOVER_OPENED)],
)
def test_a_team_is_told_of_questions_and_of_conversations_that_are_passed_on(
    company: Company, receiver: Receiver, tool: str, argument: str, kind: str
) -> None:
    company.publish()
    make_channel(company.cast, receiver.url, kind="slack", kinds=[kind])
    company.run(proposes((tool, {argument: "Is it <!channel>?"})))
    assert deliver_all() == ["204"]
    assert b"channel" not in receiver.posted[0].body
    assert "webhook-signature" not in receiver.posted[0].headers


def test_nothing_is_written_where_nobody_wants_to_know(company: Company, receiver: Receiver) -> None:
    company.publish()
    make_channel(company.cast, receiver.url, kinds=[QUESTION_ASKED])
    company.run(says("Done."))
    assert not Notice.objects.exists()


def test_without_its_part_of_the_append_nobody_is_told(
    company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite_appends(monkeypatch, "k.told = ANY (c.kinds)", "false")
    with pytest.raises(Notice.DoesNotExist):
        test_an_application_is_told_that_its_run_has_ended(company, receiver)
