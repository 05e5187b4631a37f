"""Signed webhooks: what arrives, how often, and what becomes of a channel whose receiver does not answer."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.identifiers import new_id
from approvals.models import ApprovalRequest, Notice, NoticeChannel, NoticeDelivery
from approvals.notices import channel_health, delivering, kinds, outbox, posting, sending
from approvals.notices.approving import REQUESTED
from approvals.notices.channels import rotate_channel, send_again, try_channel
from approvals.notices.kinds import Kind
from approvals.notices.outbox import announce, tell_application
from identities.services import revoke_application
from tests.approvals.notices.conftest import deliver_all, make_channel, make_due, spread_all
from tests.approvals.notices.receivers import Receiver, listening
from tests.cast import Cast
from tests.factories import ApprovalRequestFactory
from tests.ledger import kinds_of

pytestmark = [pytest.mark.webhooks, pytest.mark.django_db]


def asked(cast: Cast, **changes: object) -> ApprovalRequest:
    """Have something to tell."""
    made: ApprovalRequest = ApprovalRequestFactory.create(
        identity=cast.agent,
        application=cast.application,
        amount=Decimal("129.9000"),
        currency="USD",
        **changes,
    )
    announce([made], REQUESTED, timezone.now())
    return made


def states() -> list[tuple[str, str]]:
    return list(NoticeDelivery.objects.order_by("created_at").values_list("state", "last_result"))


def test_a_receiver_gets_what_happened_signed_and_once(cast: Cast, receiver: Receiver) -> None:
    _, secret = make_channel(cast, receiver.url)
    request = asked(cast)
    assert deliver_all() == ["204"]
    (posted,) = receiver.posted
    event = posted.verify(secret)
    assert (event["type"], event["data"]["approval"]) == ("approval.requested", str(request.pk))
    assert (event["data"]["amount"], event["data"]["currency"]) == ("129.90", "USD")
    assert event["data"]["url"].endswith(f"/approvals/approvalrequest/{request.pk}/change/")
    assert deliver_all() == []
    assert states() == [("sent", "204")]


def test_what_happened_once_is_told_once(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url)
    request = asked(cast)
    announce([request], REQUESTED, timezone.now())
    deliver_all()
    assert len(receiver.posted) == 1


def test_nothing_is_written_where_nobody_listens(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url, kinds=["approval.expired"])
    asked(cast)
    assert not Notice.objects.exists()


def test_an_application_hears_of_its_own_requests_only(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url, application=cast.application)
    made: ApprovalRequest = ApprovalRequestFactory.create(identity=cast.agent)
    announce([made], REQUESTED, timezone.now())
    assert deliver_all() == []
    asked(cast)
    assert deliver_all() == ["204"]


CONFIRM = Kind(
    "shop.confirm", "a user is asked to confirm", lambda _: "Confirm it.", for_applications_only=True
)


def test_an_application_is_told_what_somebody_here_wants_it_to_know(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(kinds._known, CONFIRM.name, CONFIRM)
    _, secret = make_channel(cast, receiver.url, application=cast.application)
    for _ in range(2):
        tell_application(cast.application, CONFIRM.name, {"confirmation": "42"}, key="42")
    assert deliver_all() == ["204"]
    event = receiver.posted[0].verify(secret)
    assert (event["type"], event["data"]["confirmation"]) == ("shop.confirm", "42")
    with pytest.raises(ValidationFailed, match="kinds"):
        make_channel(cast, receiver.url, name="team", kinds=[CONFIRM.name])


def test_one_message_that_cannot_be_made_holds_no_other_up(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url)
    asked(cast)
    Notice.objects.update(facts={})
    assert deliver_all() == ["KeyError"]
    asked(cast)
    assert deliver_all() == ["204"]
    assert NoticeDelivery.objects.get(state="waiting").due_at > timezone.now()


def test_a_failed_attempt_is_repeated_under_the_same_id(cast: Cast, receiver: Receiver) -> None:
    _, secret = make_channel(cast, receiver.url)
    receiver.statuses = [500, 503, 200]
    asked(cast)
    assert deliver_all() == ["500"]
    waiting = NoticeDelivery.objects.get()
    assert waiting.attempts == 1
    assert timedelta(seconds=4) < waiting.due_at - timezone.now() < timedelta(seconds=7)
    make_due()
    assert deliver_all() == ["503"]
    assert NoticeDelivery.objects.get().due_at - timezone.now() > timedelta(seconds=290)
    make_due()
    assert deliver_all() == ["200"]
    assert len(set(receiver.ids)) == 1
    assert [posted.verify(secret)["type"] for posted in receiver.posted] == ["approval.requested"] * 3
    assert NoticeChannel.objects.get().failures == 0


def test_what_is_never_taken_is_given_up_and_can_be_sent_again(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url)
    receiver.statuses = [500]
    asked(cast)
    for _ in range(1 + len(delivering.DELAYS_S)):
        make_due()
        assert deliver_all() == ["500"]
    assert states() == [("dead", "500")]
    receiver.statuses = [204]
    dead = NoticeDelivery.objects.get()
    send_again(actor=cast.alice, delivery=dead)
    assert deliver_all() == ["204"]
    assert set(receiver.ids) == {f"msg_{dead.pk}"}


def test_a_receiver_that_is_gone_is_told_no_more(cast: Cast, receiver: Receiver) -> None:
    channel, _ = make_channel(cast, receiver.url)
    receiver.statuses = [410]
    asked(cast)
    assert deliver_all() == ["410"]
    channel.refresh_from_db()
    assert (channel.state, channel.disabled_because) == ("disabled", "gone")
    assert kinds_of(channel.pk) == ["channel.created", "channel.disabled"]
    asked(cast)
    assert deliver_all() == []


def test_a_receiver_that_fails_for_a_day_is_stopped(cast: Cast, receiver: Receiver) -> None:
    channel, _ = make_channel(cast, receiver.url)
    receiver.statuses = [500]
    since = timezone.now() - channel_health.LONGEST_FAILING
    NoticeChannel.objects.update(failures=channel_health.MOST_FAILURES - 2, failing_since=since)
    asked(cast)
    asked(cast)
    assert deliver_all() == ["500", "500"]
    channel.refresh_from_db()
    assert (channel.state, channel.disabled_because) == ("disabled", "failing")
    make_due()
    assert set(deliver_all()) == {"channel_disabled"}


def test_many_failures_of_a_minute_stop_nothing(cast: Cast, receiver: Receiver) -> None:
    channel, _ = make_channel(cast, receiver.url)
    receiver.statuses = [500]
    NoticeChannel.objects.update(failures=1_000, failing_since=timezone.now() - timedelta(minutes=1))
    asked(cast)
    deliver_all()
    channel.refresh_from_db()
    assert channel.state == "active"


def test_a_receiver_that_hangs_costs_its_time_and_nothing_else(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "TIME_S", 0.5)
    receiver.hangs = threading.Event()
    with listening() as other:
        make_channel(cast, receiver.url)
        make_channel(cast, other.url, name="other")
        asked(cast)
        assert sorted(deliver_all()) == ["204", "timeout"]
        assert len(other.posted) == 1


def test_a_redirect_is_a_failure_and_followed_nowhere(cast: Cast, receiver: Receiver) -> None:
    with listening() as inside:
        make_channel(cast, receiver.url)
        receiver.statuses, receiver.location = [302], inside.url
        asked(cast)
        assert deliver_all() == ["302"]
        assert inside.posted == []


def test_both_secrets_sign_while_one_replaces_the_other(cast: Cast, receiver: Receiver) -> None:
    channel, former = make_channel(cast, receiver.url)
    channel, secret = rotate_channel(actor=cast.alice, channel=channel)
    asked(cast)
    deliver_all()
    (posted,) = receiver.posted
    assert posted.verify(former) == posted.verify(secret)
    NoticeChannel.objects.update(former_until=timezone.now())
    asked(cast)
    deliver_all()
    assert len(receiver.posted[1].headers["webhook-signature"].split()) == 1
    assert receiver.posted[1].verify(secret)


def test_whoever_is_killed_after_sending_sends_it_again_under_the_same_id(
    cast: Cast, receiver: Receiver
) -> None:
    """The attempt is claimed before it is made; the claim ends by itself."""
    make_channel(cast, receiver.url)
    asked(cast)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivering, "note_answered", lambda _channel: None)
        patch.setattr(delivering, "send_to_channel", _sends_and_dies)
        with pytest.raises(KeyboardInterrupt):
            deliver_all()
    assert deliver_all() == []  # it is claimed
    NoticeDelivery.objects.update(lease_until=timezone.now())
    assert deliver_all() == ["204"]
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


def _sends_and_dies(delivery: NoticeDelivery, channel: NoticeChannel) -> str:
    sending.send_to_channel(delivery, channel)
    raise KeyboardInterrupt


def test_who_comes_late_writes_nothing_over_who_has_it_now(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url)
    asked(cast)

    def sends_slowly(delivery: NoticeDelivery, channel: NoticeChannel) -> str:
        NoticeDelivery.objects.update(lease_until=timezone.now() + timedelta(hours=1))  # somebody else has it
        return "204"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivering, "send_to_channel", sends_slowly)
        deliver_all()
    assert states() == [("waiting", "")]


def test_two_workers_send_one_message_once(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url)
    asked(cast)
    spread_all()
    (due,) = delivering.find_due(timezone.now())

    def sends_while_another_comes(delivery: NoticeDelivery, channel: NoticeChannel) -> str:
        assert delivering.find_due(timezone.now()) == []
        assert delivering.deliver(delivery.pk) == ""
        return sending.send_to_channel(delivery, channel)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivering, "send_to_channel", sends_while_another_comes)
        assert delivering.deliver(due) == "204"
    assert len(receiver.posted) == 1


def test_without_the_claim_they_send_it_twice(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "_claim", lambda *_: True)
    with pytest.raises(AssertionError):
        test_two_workers_send_one_message_once(cast, receiver)


@pytest.mark.parametrize(("failures", "at_once", "sent"), [(0, 2, 5), (1, 1, 1)])
def test_a_receiver_that_hangs_has_few_attempts_under_way(
    cast: Cast, receiver: Receiver, failures: int, at_once: int, sent: int
) -> None:
    make_channel(cast, receiver.url)
    NoticeChannel.objects.update(failures=failures)
    for _ in range(5):
        asked(cast)
    spread_all()
    waiting = list(NoticeDelivery.objects.values_list("pk", flat=True))
    under_way: list[int] = []

    def sends_while_all_others_come(delivery: NoticeDelivery, channel: NoticeChannel) -> str:
        under_way.append(NoticeDelivery.objects.filter(lease_until__gt=timezone.now()).count())
        for pk in waiting:
            delivering.deliver(pk)
        return sending.send_to_channel(delivery, channel)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivering, "send_to_channel", sends_while_all_others_come)
        assert delivering.deliver(waiting[0]) == "204"
    assert max(under_way) == at_once
    assert len(receiver.posted) == len(set(receiver.ids)) == sent


def test_without_the_bound_they_take_all_places(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering, "AT_ONCE", 5)
    with pytest.raises(AssertionError):
        test_a_receiver_that_hangs_has_few_attempts_under_way(cast, receiver, 0, 2, 5)


def test_without_a_key_what_happened_once_is_told_twice(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_key_of", lambda *_: str(new_id()))
    with pytest.raises(AssertionError):
        test_what_happened_once_is_told_once(cast, receiver)


def test_a_receiver_that_is_back_gets_what_has_waited(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url)
    for _ in range(5):
        asked(cast)
    spread_all()
    (first,) = delivering.find_due(timezone.now())
    sent: list[UUID] = []
    following: UUID | None = first
    while following is not None:
        assert delivering.deliver(following) == "204"
        sent.append(following)
        following = delivering.find_next(following)
    assert len(receiver.posted) == len(set(sent)) == 5


def test_an_application_that_was_revoked_is_told_nothing(cast: Cast, receiver: Receiver) -> None:
    make_channel(cast, receiver.url, application=cast.application)
    asked(cast)
    spread_all()
    revoke_application(actor=cast.ada, application=cast.application)
    assert deliver_all() == ["channel_disabled"]
    asked(cast)
    assert deliver_all() == []


def test_a_channel_can_be_tried(cast: Cast, receiver: Receiver) -> None:
    channel, secret = make_channel(cast, receiver.url)
    try_channel(actor=cast.alice, channel=channel)
    assert deliver_all() == ["204"]
    assert receiver.posted[0].verify(secret)["type"] == "test"
