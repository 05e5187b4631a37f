"""E-mail to people: to whom, of what, how many at a time, and what it never holds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.mail import EmailMessage
from django.utils import timezone
from guardian.shortcuts import remove_perm

from agentops.errors import PolicyDenied, ValidationFailed
from approvals.absences import Leave, declare_absence
from approvals.models import ApprovalRequest, MailPreference, NoticeDelivery
from approvals.notices import letters, spreading
from approvals.notices.approving import DECIDED, ESCALATED, EXPIRED, REQUESTED
from approvals.notices.mail import mail_kinds, set_mail
from approvals.notices.outbox import announce_expiring, drop_old
from approvals.services import expire_requests
from approvals.stages import escalate_requests
from identities.models import User
from tests.approvals.conftest import company
from tests.approvals.notices.conftest import deliver_all, make_due
from tests.approvals.notices.receivers import Mailbox
from tests.approvals.test_quorum import approver, ask, refund, say
from tests.cast import Cast
from tests.factories import ApprovalRequestFactory
from tests.runs.company import ORDER, SUBJECT, Company

__all__ = ["company", "refund"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("mailbox", "refund"),
    pytest.mark.approvals,
    pytest.mark.slow,
]
DESK = {"needed": 1, "group": "desk"}
LADDER = {**DESK, "escalate": [{"after_s": 300, "group": "heads"}, {"after_s": 600, "group": "board"}]}


def wants(*people: User, kinds: list[str] | None = None) -> None:
    """Have people want to hear everything, or this."""
    for person in people:
        set_mail(actor=person, address=f"{person.username}@example.com", kinds=kinds or mail_kinds())


def told(mailbox: Mailbox) -> list[str]:
    """Send what is due; return who got something by it."""
    before = len(mailbox.taken)
    deliver_all()
    return sorted(address.partition("@")[0] for to, _ in mailbox.taken[before:] for address in to)


@pytest.fixture
def staff(company: Company, settings: LazySettings) -> dict[str, User]:
    settings.NOTICES_MAIL_WINDOW_S = 0
    people = {name: approver(company, name, "desk") for name in ("dan", "dee")}
    people |= {name: approver(company, name, "heads") for name in ("hal", "hua")}
    people["bo"] = approver(company, "bo", "board")
    wants(*people.values())
    return people


def test_who_can_decide_is_told_and_nobody_else(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    wants(company.cast.alice, company.cast.bob)  # she owns the agent, he has nothing to approve
    _, request = ask(company, DESK)
    assert told(mailbox) == ["dan", "dee"]
    letter = mailbox.letters[0]
    assert letter["Subject"].startswith("AgentOps: refunds-agent wants to use refund (it cannot be undone)")
    assert f"/admin/approvals/approvalrequest/{request.pk}/change/" in letter.get_content()
    assert letter["Auto-Submitted"] == "auto-generated"


def test_it_holds_no_arguments_and_no_words_of_anybody(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    ask(company, DESK)
    told(mailbox)
    for word in (ORDER["order_id"], SUBJECT, "Please help"):
        assert word not in mailbox.letters[0].as_string()


def test_without_a_sender_or_without_wanting_to_nobody_is_told(
    company: Company, staff: dict[str, User], mailbox: Mailbox, settings: LazySettings
) -> None:
    set_mail(actor=staff["dan"], address="", kinds=[])
    wants(staff["dee"], kinds=[DECIDED])
    ask(company, DESK)
    assert told(mailbox) == []
    settings.MAIL_FROM = ""
    NoticeDelivery.objects.all().delete()
    ask_again(company)
    assert not NoticeDelivery.objects.exists()


def ask_again(company: Company) -> ApprovalRequest:
    made: ApprovalRequest = ApprovalRequestFactory.create(
        identity=company.cast.agent, tool_version=company.versions[0]
    )
    return made


def test_an_escalation_reaches_whom_it_escalates_to_and_once(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    _, request = ask(company, LADDER)
    assert told(mailbox) == ["dan", "dee"]
    later = request.created_at + timedelta(seconds=301)
    for _ in range(2):
        escalate_requests(now=later)
        assert told(mailbox) in (["hal", "hua"], [])
    assert mailbox.letters[-1]["Subject"].count("so heads can decide too") == 1
    assert len(mailbox.taken) == 4
    escalate_requests(now=request.created_at + timedelta(seconds=601))
    assert told(mailbox) == ["bo"]


def test_without_the_question_who_was_told_everybody_is_told_again(
    company: Company, staff: dict[str, User], mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "_was_told", lambda *_: False)
    with pytest.raises(AssertionError):
        test_an_escalation_reaches_whom_it_escalates_to_and_once(company, staff, mailbox)


def test_a_step_of_the_ladder_is_told_once_even_if_it_is_climbed_twice(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    """As where two sweepers meet and the lock is gone: what happened has one key."""
    _, request = ask(company, LADDER)
    told(mailbox)
    due = request.escalates_at
    for _ in range(2):
        ApprovalRequest.objects.update(escalates_at=due)
        escalate_requests(now=request.created_at + timedelta(seconds=301))
    assert list(request.notices.values_list("kind", flat=True)).count(ESCALATED) == 1


def test_while_somebody_is_away_their_deputy_is_told(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    now = timezone.now()
    leave = Leave(staff["dan"], staff["hal"], now, now + timedelta(days=1), "On leave.")
    declare_absence(actor=staff["dan"], leave=leave)
    ask(company, DESK)
    assert told(mailbox) == ["dee", "hal"]


def test_without_the_question_who_is_away_they_are_written_to(
    company: Company, staff: dict[str, User], mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "is_away", lambda *_: False)
    with pytest.raises(AssertionError):
        test_while_somebody_is_away_their_deputy_is_told(company, staff, mailbox)


def test_who_can_decide_is_reminded_once_before_it_expires(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    _, request = ask(company, DESK)
    told(mailbox)
    soon = request.expires_at - timedelta(minutes=4)
    assert announce_expiring(now=request.created_at) == 0
    assert (announce_expiring(now=soon), announce_expiring(now=soon)) == (1, 0)
    assert told(mailbox) == ["dan", "dee"]
    assert "It expires at" in mailbox.letters[-1]["Subject"]


def test_who_was_asked_hears_how_it_ended(company: Company, staff: dict[str, User], mailbox: Mailbox) -> None:
    _, request = ask(company, DESK)
    told(mailbox)
    say(staff["dan"], request)
    assert told(mailbox) == ["dan", "dee"]
    assert mailbox.letters[-1]["Subject"].startswith("AgentOps: Approved: ")


def test_who_was_asked_hears_that_nobody_answered(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    _, request = ask(company, DESK)
    told(mailbox)
    expire_requests(now=request.expires_at)
    assert told(mailbox) == ["dan", "dee"]
    assert mailbox.letters[-1]["Subject"].startswith("AgentOps: Nobody answered in time")


def test_what_is_decided_meanwhile_is_not_asked_by_mail_any_more(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    wants(*staff.values(), kinds=[REQUESTED, EXPIRED])
    mailbox.refuses = True
    _, request = ask(company, DESK)
    assert told(mailbox) == []
    say(staff["dan"], request)
    mailbox.refuses = False
    make_due()
    assert told(mailbox) == []
    assert set(NoticeDelivery.objects.values_list("state", "last_result")) == {("dropped", "over")}


def test_who_lost_the_right_meanwhile_is_told_nothing(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    mailbox.refuses = True
    ask(company, DESK)
    deliver_all()
    remove_perm("approve_calls", staff["dan"], company.versions[0].tool)
    mailbox.refuses = False
    make_due()
    assert told(mailbox) == ["dee"]


def test_without_the_second_look_they_are_told(
    company: Company, staff: dict[str, User], mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "_drop_what_is_over", lambda _person, _kinds, lines: lines)
    with pytest.raises(AssertionError):
        test_who_lost_the_right_meanwhile_is_told_nothing(company, staff, mailbox)


def flood(company: Company, number: int) -> None:
    """Ask for many at once."""
    from approvals.notices.outbox import announce

    made = [ask_again(company) for _ in range(number)]
    announce(made, REQUESTED, timezone.now())


def test_nobody_gets_many_letters_for_many_requests(
    company: Company, mailbox: Mailbox, settings: LazySettings
) -> None:
    settings.NOTICES_MAIL_WINDOW_S = 300
    dan = approver(company, "dan")
    wants(dan)
    flood(company, 1)
    assert told(mailbox) == ["dan"]
    flood(company, 30)
    assert told(mailbox) == [], "the last letter was a moment ago"
    make_due()
    assert told(mailbox) == ["dan"]
    text = mailbox.letters[-1].get_content()
    assert mailbox.letters[-1]["Subject"] == "AgentOps: 30 notices"
    assert text.count("wants to use") == 20
    assert "and 10 more" in text
    assert NoticeDelivery.objects.filter(state="sent").count() == 31


def test_without_the_window_each_is_a_letter(
    company: Company, mailbox: Mailbox, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreading, "_due_at", lambda _person, now: now)
    with pytest.raises(AssertionError):
        test_nobody_gets_many_letters_for_many_requests(company, mailbox, settings)


def test_a_letter_that_is_sent_again_is_the_same_letter(
    company: Company, mailbox: Mailbox, settings: LazySettings
) -> None:
    settings.NOTICES_MAIL_WINDOW_S = 0
    wants(approver(company, "dan"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmailMessage, "send", _sends_and_dies(EmailMessage.send))
        flood(company, 3)
        with pytest.raises(KeyboardInterrupt):
            deliver_all()
    flood(company, 1)  # goes with the next
    make_due()
    assert told(mailbox) == ["dan", "dan"]
    ids = [letter["Message-ID"] for letter in mailbox.letters]
    assert ids[0] == ids[1] != ids[2]
    assert [letter["Subject"] for letter in mailbox.letters[:2]] == ["AgentOps: 3 notices"] * 2


def _sends_and_dies(send: Any) -> Any:
    def die(mail: Any) -> None:
        send(mail)
        raise KeyboardInterrupt

    return die


def test_ones_preferences_are_ones_own(cast: Cast) -> None:
    kept = set_mail(actor=cast.fiona, address="fiona@example.com", kinds=[REQUESTED, REQUESTED])
    assert kept is not None
    assert kept.kinds == [REQUESTED]
    assert list(MailPreference.objects.visible_to(cast.ada)) == []
    for address, kinds in (("fiona", [REQUESTED]), ("a@example.com\nBcc: b@example.com", [REQUESTED])):
        with pytest.raises(ValidationFailed, match="no e-mail address"):
            set_mail(actor=cast.fiona, address=address, kinds=kinds)
    with pytest.raises(ValidationFailed, match=r"run\.ended"):
        set_mail(actor=cast.fiona, address="fiona@example.com", kinds=["run.ended"])
    with pytest.raises(PolicyDenied):
        set_mail(actor=cast.application.service_account, address="a@example.com", kinds=[REQUESTED])


def test_an_address_is_forgotten_with_the_wish(cast: Cast) -> None:
    set_mail(actor=cast.fiona, address="fiona@example.com", kinds=[REQUESTED])
    assert set_mail(actor=cast.fiona, address="", kinds=[]) is None
    assert not MailPreference.objects.exists()


def test_old_notices_are_dropped_and_those_that_wait_are_kept(
    company: Company, staff: dict[str, User], mailbox: Mailbox
) -> None:
    ask(company, DESK)
    mailbox.refuses = True
    deliver_all()
    later = timezone.now() + timedelta(days=31)
    assert drop_old(later) == 0
    mailbox.refuses = False
    make_due()
    deliver_all()
    assert drop_old(timezone.now()) == 0
    assert drop_old(later) == 3
