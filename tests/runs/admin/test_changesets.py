"""The pages of change sets: the queue, one's review, and what a late or unfit word is told."""

from __future__ import annotations

import re

import pytest

from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.services import expire_requests
from runs.admin import changesets, item_choices
from runs.changesets.reviewing import about_items, list_items
from runs.models import ChangeSet, Run
from runs.policies import May
from tests.console.authenticator import SoftKey
from tests.console.test_security_keys import add, prove
from tests.console.visits import act, page_of, sign_in, text_of
from tests.runs.changesets.proposing import MAIL, REFUND, carry_out, comment, prepare, propose, review
from tests.runs.company import Company

pytestmark = [pytest.mark.console, pytest.mark.slow]


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


def test_what_nobody_decided_in_time_is_named_with_what_to_do(company: Company) -> None:
    """What is left is no yes or no to it: the button that would decide nothing is not there, what sends it back is."""
    prepare(company)
    made = propose(company)
    fiona, page = sign_in(company.cast.fiona), page_of("runs_changeset", "change", made.pk)
    assert "Nobody decided in time" not in text_of(fiona.get(page))
    latest = max(ApprovalRequest.objects.values_list("expires_at", flat=True))
    assert expire_requests(now=latest) == 2
    shown = fiona.get(page)
    assert "Nobody decided in time about item 1, 2: what expired is not carried out. Send it back" in text_of(
        shown
    )
    assert 'value="decide"' not in shown.content.decode()
    assert 'value="send_back"' in shown.content.decode()


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


def test_a_key_signs_the_set_and_the_word_about_each_item(company: Company) -> None:
    prepare(company)
    key, fiona = SoftKey(), sign_in(company.cast.fiona)
    assert add(fiona, key).status_code == 200
    ruling = Ruling("Changes", ({"needed": 1},), factor="key")
    set_approval_rule(actor=company.cast.ada, team=company.cast.team, place=1, ruling=ruling)
    made = propose(company)
    page = page_of("runs_changeset", "change", made.pk)
    assert f'data-about="changes:{made.digest}"' in fiona.get(page).content.decode()
    word = {"act": "decide", "digest": made.digest, "item-1": "approve", "item-2": "deny", "reason": "No."}
    prove(fiona, key, about_items(made.digest, {1: "approve", 2: "approve"}))
    assert "this takes your security key" in text_of(fiona.post(page, word, follow=True))
    prove(fiona, key, about_items(made.digest, {1: "approve", 2: "deny"}))
    assert "You decided about 2 items." in text_of(fiona.post(page, word, follow=True))


def test_words_of_models_and_reviewers_are_no_markup(company: Company) -> None:
    prepare(company)
    bad = "<script>alert(1)</script>"
    made = propose(company, ("refund", {"order_id": bad}), message=bad)
    comment(company, made, comments={0: bad})
    fiona = sign_in(company.cast.fiona)
    for page in (page_of("runs_changeset", "change", made.pk), page_of("runs_changeset", "changelist")):
        assert bad not in fiona.get(page).content.decode()


def test_what_was_carried_out_is_undone_from_its_page(company: Company) -> None:
    back = {"kind": "compensable", "tool": "cancel", "arguments": {"order_id": "$arguments.order_id"}}
    prepare(company, undo=back)
    made = propose(company)
    page = page_of("runs_changeset", "change", made.pk)
    ada = sign_in(company.cast.ada)
    assert "Undo what was carried out" not in text_of(ada.get(page))
    review(company, made)
    assert carry_out(company, made).state == "completed"
    assert "Undo what was carried out" in text_of(ada.get(page))
    asked = ada.post(page_of("runs_run", "changelist"), button_of(ada.get(page).content.decode()))
    assert "refund (step 1): will be undone by cancel" in text_of(asked)
    assert "send_email (step 1): not undone" in text_of(asked)
    act(ada, "runs_run", "undo", made.pk)
    undone = company.drive(Run.objects.get(undoes=made.pk))
    assert (undone.state, company.world.attempts) == ("completed", ["refund", "send_email", "cancel"])
    assert page_of("runs_run", "change", undone.pk) in ada.get(page).content.decode()


def test_who_may_not_undo_runs_is_offered_no_button(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(company)
    made = propose(company)
    review(company, made)
    carry_out(company, made)
    fiona, page = sign_in(company.cast.fiona), page_of("runs_changeset", "change", made.pk)
    assert "Undo what was carried out" not in text_of(fiona.get(page))
    monkeypatch.setattr(changesets, "may_undo", lambda person, run: May(True, "", ""))
    assert "Undo what was carried out" in text_of(fiona.get(page)), "the mutant shows it"


def test_all_that_is_left_is_filled_in_by_one_press_and_decided_by_another(company: Company) -> None:
    prepare(company)
    made = propose(company, REFUND, MAIL, ("cancel", {"order_id": "A-2"}))
    fiona, page = sign_in(company.cast.fiona), page_of("runs_changeset", "change", made.pk)
    words = {"digest": made.digest, "item-2": "deny", "reason": "Not by <b>mail.", "comment-1": "Sure?"}
    answer = fiona.post(page, {"act": "fill-approve", **words})
    shown = answer.content.decode()
    assert (answer.status_code, chosen_in(shown)) == (200, {"1": "approve", "2": "deny", "3": "approve"})
    assert "Not by &lt;b&gt;mail.</textarea>" in shown
    assert "Sure?</textarea>" in shown
    assert not ApprovalDecision.objects.exists()
    sent = {f"item-{number}": verdict for number, verdict in chosen_in(shown).items()}
    answer = fiona.post(page, {"act": "decide", **words, **sent}, follow=True)
    assert "You decided about 3 items." in text_of(answer)
    assert [row.request.state for row in list_items(made)] == ["approved", "denied", "approved"]


def test_what_is_decided_is_not_filled_in_again_and_all_else_can_be_denied(company: Company) -> None:
    prepare(company)
    made = propose(company)
    fiona, page = sign_in(company.cast.fiona), page_of("runs_changeset", "change", made.pk)
    review(company, made, verdicts={1: "approve"})
    shown = fiona.post(page, {"act": "fill-deny", "digest": made.digest}).content.decode()
    assert chosen_in(shown) == {"2": "deny"}
    assert 'value="fill-deny"' in shown
    review(company, made, verdicts={2: "deny"})
    assert "fill-deny" not in fiona.get(page).content.decode()


@pytest.mark.parametrize("act", ["fill-approve", "decide"])
def test_what_was_chosen_about_something_else_is_not_carried_over(
    company: Company, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    prepare(company)
    made = propose(company)
    fiona, page = sign_in(company.cast.fiona), page_of("runs_changeset", "change", made.pk)
    words = {"act": act, "digest": "f" * 64, "item-1": "approve"}
    assert chosen_in(fiona.post(page, words).content.decode()) == {"1": "", "2": ""}
    given = item_choices.read_choices
    monkeypatch.setattr(
        changesets,
        "read_choices",
        lambda form, subject, left: given({**form.dict(), "digest": subject.digest}, subject, left),
    )
    assert chosen_in(fiona.post(page, words).content.decode())["1"] == "approve", "the mutant keeps it"


def chosen_in(page: str) -> dict[str, str]:
    """Return what stands chosen about each item that can be decided."""
    return dict(re.findall(r'name="item-(\d+)" value="(\w*)" checked', page))


def button_of(page: str) -> dict[str, str]:
    """Return what the button to undo sends."""
    form = page[page.rindex("<form", 0, page.index("Undo what was carried out")) :]
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[: form.index("</form>")]))
