"""People answer what a run asks: its user, its hand-overs, its unknown outcomes."""

from __future__ import annotations

import pytest
from django.test import Client

from runs.models import Handover, Run
from runs.services import cancel_run
from tests.cast import Cast
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.ledger import kinds_of, last_entry
from tests.runs.admin.pages import MODEL, SCRIPT, show
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import lose_reply

pytestmark = [pytest.mark.console, pytest.mark.slow]


def answer(client: Client, run: Run, **form: object) -> Page:
    given = {"step": "1", "call": "1", "text": "An answer.", **form}
    return client.post(page_of(MODEL, "answer", run.pk), given, follow=True)


class TestAnswers:
    def test_the_users_answer_goes_to_the_agent(self, company: Company, asking: Run) -> None:
        client = sign_in(company.cast.alice)
        assert "The agent asks the user The model’s words Which order?" in text_of(show(client, asking))
        answer(client, asking, type="input", text="The red one.")
        assert last_entry(asking.pk).content == {"text": "The red one."}
        assert company.drive(asking).state == "completed"

    def test_a_handover_is_answered_from_its_queue(self, company: Company) -> None:
        company.add_reads()
        run = company.run(
            proposes(("hand_over", {"reason": f"A lawyer writes. {SCRIPT}"})), says("Passed on.")
        )
        client = sign_in(company.cast.alice)
        queue = client.get(page_of("runs_handover", "changelist"))
        assert "A lawyer writes." in text_of(queue)
        assert "<script>alert" not in queue.content.decode()
        answer(client, run, type="handover", text="Ring 555.")
        handover = Handover.objects.get()
        assert (handover.answered_by, handover.answered_at is not None) == (company.cast.alice, True)
        assert company.drive(run).state == "completed"
        assert "Answered lately" in text_of(client.get(page_of("runs_handover", "changelist")))

    @pytest.mark.parametrize("ends", [False, True])
    def test_nobody_is_asked_to_answer_for_a_run_that_waits_no_more(
        self, company: Company, ends: bool
    ) -> None:
        company.add_reads()
        run = company.run(proposes(("hand_over", {"reason": "A lawyer writes."})), says("Never said."))
        client = sign_in(company.cast.alice)
        pages = page_of("runs_handover", "changelist"), "/admin/"
        assert all("A lawyer writes." in text_of(client.get(page)) for page in pages)
        cancel_run(actor=company.cast.alice, run=run)
        if ends:
            assert company.drive(run).state == "cancelled"
        assert not any("A lawyer writes." in text_of(client.get(page)) for page in pages)

    @pytest.mark.parametrize(("happened", "said"), [("yes", "happened"), ("no", "did not happen")])
    def test_an_unknown_outcome_is_settled_by_a_person(
        self, company: Company, happened: str, said: str
    ) -> None:
        company.add_tool("refund", effect="reversible", idempotency="none")
        company.world.mishaps.append(lose_reply)
        run = company.run(proposes(("refund", ORDER)), says("Settled."))
        client = sign_in(company.cast.alice)
        assert "Nobody knows whether this call happened" in text_of(show(client, run))
        page = answer(client, run, type="outcome", happened=happened, text="I looked at the bank.")
        assert f"the call {said}" in text_of(page)
        entry = last_entry(run.pk)
        assert (entry.kind, entry.facts["happened"], entry.actor) == (
            "outcome.settled", happened == "yes", company.cast.alice.pk,
        )  # fmt: skip
        assert company.drive(run).state == "completed"

    @pytest.mark.parametrize(
        "form",
        [{"type": "input", "text": ""}, {"type": "input", "step": "9"}, {"type": "input", "step": "x"},
         {"type": "handover"}, {"type": "outcome", "happened": "maybe"}, {"type": "nonsense"}, {}],
    )  # fmt: skip
    def test_an_answer_that_fits_nothing_changes_nothing(
        self, cast: Cast, asking: Run, form: dict[str, str]
    ) -> None:
        before = kinds_of(asking.pk)
        assert "Nothing was changed." in text_of(answer(sign_in(cast.alice), asking, **form))
        assert kinds_of(asking.pk) == before

    def test_an_outsider_answers_nothing(self, cast: Cast, asking: Run) -> None:
        before = kinds_of(asking.pk)
        answer(sign_in(cast.charlie), asking, type="input")
        assert kinds_of(asking.pk) == before

    def test_an_answer_is_a_post(self, cast: Cast, asking: Run) -> None:
        assert sign_in(cast.bob).get(page_of(MODEL, "answer", asking.pk)).status_code == 405
