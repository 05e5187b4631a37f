"""Letters: what somebody is told by e-mail, everything that is due in one; nobody gets five hundred."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from agentops.identifiers import new_id
from approvals.models import ApprovalRequest, MailPreference, NoticeDelivery
from approvals.notices.approving import FOR_WHO_DECIDES
from approvals.notices.formats import as_mail, compose
from approvals.notices.kinds import find_kind
from approvals.notices.outbox import can_mail
from approvals.notices.posting import NotPosted
from identities.models import User
from identities.policies import may_govern


@transaction.atomic
def claim_letter(
    person: User, delivery: NoticeDelivery, free: QuerySet[NoticeDelivery], until: datetime
) -> list[NoticeDelivery]:
    """Claim the letter that a delivery to somebody is in, or make one of all that is due to them; return its lines.

    A letter that was begun stays as it is: what came since goes with the next.
    """
    User.objects.select_for_update(no_key=True).get(pk=person.pk)  # one letter of each at a time
    due = free.filter(person=person, letter=delivery.letter)
    lines = list(due.select_related("notice__team", "person").order_by("created_at", "pk"))
    letter = delivery.letter or new_id()
    mine = NoticeDelivery.objects.filter(pk__in=[line.pk for line in lines])
    mine.update(letter=letter, lease_until=until, attempts=F("attempts") + 1)
    for line in lines:
        line.letter = letter
    return lines


def write_letter(lines: Sequence[NoticeDelivery]) -> str:
    """Send a letter, whose id is the same whenever it is sent again; return what became of it."""
    person = lines[0].person
    wanted = MailPreference.objects.filter(user=person, user__is_active=True).first()
    if person is None or wanted is None or not can_mail():
        raise NotPosted("not_wanted")
    standing = _drop_what_is_over(person, wanted.kinds, lines)
    if not standing:
        return "nothing_left"
    subject, text = as_mail([compose(line.notice, line.created_at.isoformat()) for line in standing])
    headers = {"Message-ID": f"<{lines[0].letter}@agentops>", "Auto-Submitted": "auto-generated"}
    mail = EmailMessage(subject, text, settings.MAIL_FROM, [wanted.address], headers=headers)
    try:
        mail.send()
    except Exception as error:  # a boundary: whatever the server or the library says, it is tried again
        raise NotPosted(type(error).__name__[:48]) from error
    return "mailed"


def _drop_what_is_over(
    person: User, kinds: Sequence[str], lines: Sequence[NoticeDelivery]
) -> list[NoticeDelivery]:
    """Return the lines about what somebody can still decide, or may still see; the others go out no more."""
    requests = ApprovalRequest.objects.filter(
        pk__in={line.notice.request_id for line in lines if line.notice}
    )
    decidable = set(requests.decidable_by(person).values_list("pk", flat=True))
    visible = set(requests.visible_to(person).values_list("pk", flat=True))

    def stands(line: NoticeDelivery) -> bool:
        notice = line.notice
        if notice is None:
            return True
        if permission := find_kind(notice.kind).permission:
            is_theirs = may_govern(person, permission, notice.team).allowed
        else:
            is_theirs = notice.request_id in (decidable if notice.kind in FOR_WHO_DECIDES else visible)
        return is_theirs and notice.kind in kinds

    standing = [line for line in lines if stands(line)]
    over = {line.pk for line in lines} - {line.pk for line in standing}
    values = {"state": NoticeDelivery.State.DROPPED, "last_result": "over", "ended_at": timezone.now()}
    NoticeDelivery.objects.filter(pk__in=over).update(lease_until=None, **values)
    return standing
