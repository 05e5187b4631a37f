"""The pages of change sets: the queue, one's review, and what a late or unfit word is told."""

from __future__ import annotations

from runs.models import ChangeSet, Run
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.changesets.proposing import comment, prepare, propose
from tests.runs.company import Company


def test_what_waits_is_listed_reviewed_and_carried_out(company: Company) -> None:
    prepare(company)
    made = propose(company)
    fiona, page = sign_in(company.cast.fiona), page_of("runs_changeset", "change", made.pk)
    assert page in fiona.get(page_of("runs_changeset", "changelist")).content.decode()
    shown = text_of(fiona.get(page))
    assert "Please help." in shown
    assert "Item 2: send email" in shown
    answer = fiona.post(page, {"act": "decide", "digest": made.digest, "item-1": "approve"}, follow=True)
    assert "You decided about 1 item." in text_of(answer)
    answer = fiona.post(page, {"act": "apply", "digest": made.digest})
    assert (answer.status_code, "decide first about item 2" in text_of(answer).lower()) == (409, True)
    word = {"act": "decide", "digest": made.digest, "item-2": "deny", "reason": "Not by mail."}
    fiona.post(page, word, follow=True)
    answer = fiona.post(page, {"act": "apply", "digest": made.digest}, follow=True)
    assert "What was approved is being carried out." in text_of(answer)
    company.drive(Run.objects.get(pk=made.pk))
    shown = text_of(fiona.get(page))
    assert "succeeded" in shown
    assert company.world.attempts == ["refund"]


def test_two_tabs_and_a_stale_page_are_told_what_to_do(company: Company) -> None:
    prepare(company)
    made = propose(company)
    fiona, page = sign_in(company.cast.fiona), page_of("runs_changeset", "change", made.pk)
    answer = fiona.post(page, {"act": "decide", "digest": "f" * 64, "item-1": "approve"})
    assert (answer.status_code, "look at it again" in text_of(answer)) == (409, True)
    comment(company, made)
    answer = fiona.post(page, {"act": "decide", "digest": made.digest, "item-1": "approve"})
    assert (answer.status_code, "look at the version that came after it" in text_of(answer)) == (409, True)


def test_a_stale_factor_and_an_owner_decide_nothing(company: Company) -> None:
    prepare(company)
    made = propose(company)
    page = page_of("runs_changeset", "change", made.pk)
    late = sign_in(company.cast.fiona, seconds_ago=3_600)
    answer = late.post(page, {"act": "decide", "digest": made.digest, "item-1": "approve"}, follow=True)
    assert "confirm with your second factor" in text_of(answer)
    owner = sign_in(company.cast.alice)
    assert "You cannot decide about this" in text_of(owner.get(page))
    assert owner.post(page, {"act": "decide", "digest": made.digest, "item-1": "approve"}).status_code == 409
    assert ChangeSet.objects.get(pk=made.pk).state == "offered"


def test_words_of_models_and_reviewers_are_no_markup(company: Company) -> None:
    prepare(company)
    bad = "<script>alert(1)</script>"
    made = propose(company, ("refund", {"order_id": bad}), message=bad)
    comment(company, made, comments={0: bad})
    fiona = sign_in(company.cast.fiona)
    for page in (page_of("runs_changeset", "change", made.pk), page_of("runs_changeset", "changelist")):
        assert bad not in fiona.get(page).content.decode()
