"""Channels, what was sent there, and one's own e-mail, in the console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from approvals.models import MailPreference, NoticeChannel, NoticeDelivery
from approvals.notices.approving import REQUESTED
from tests.approvals.notices.conftest import deliver_all, make_channel
from tests.approvals.notices.receivers import Receiver
from tests.cast import Cast
from tests.console.visits import act, page_of, sign_in
from tests.verbs import channel_of, delivery_of

pytestmark = [pytest.mark.django_db, pytest.mark.console, pytest.mark.slow]
CHANNEL, DELIVERY, MAIL = "approvals_noticechannel", "approvals_noticedelivery", "approvals_mailpreference"


def form(cast: Cast, url: str, **changes: Any) -> dict[str, Any]:
    values = {"team": cast.team.pk, "name": "ops", "kind": "webhook", "url": url, "kinds": [REQUESTED]}
    return {**values, "allow_private": "on", **changes}


def secret_of(page: str) -> str:
    (found,) = re.findall(r"whsec_[\w+/=]+", page)
    return str(found)


def test_a_channel_is_added_and_its_secret_shown_once(cast: Cast, receiver: Receiver) -> None:
    alice = sign_in(cast.alice)
    secret = secret_of(alice.post(page_of(CHANNEL, "add"), form(cast, receiver.url)).content.decode())
    channel = NoticeChannel.objects.get()
    for path in (page_of(CHANNEL, "changelist"), page_of(CHANNEL, "change", channel.pk)):
        page = alice.get(path).content.decode()
        assert "127.0.0.1" in page
        assert secret not in page
        assert "/hook" not in page
    assert "will get a test" in act(alice, CHANNEL, "try_out", channel.pk).content.decode()
    assert deliver_all() == ["204"]
    receiver.posted[0].verify(secret)


def test_what_is_wrong_is_said_and_the_address_not_shown_again(cast: Cast) -> None:
    answer = sign_in(cast.alice).post(page_of(CHANNEL, "add"), form(cast, "ftp://hooks.example/very-secret"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Nothing was changed" in page
    assert "very-secret" not in page


def test_adding_one_and_another_secret_take_a_fresh_factor(cast: Cast, receiver: Receiver) -> None:
    channel, _ = make_channel(cast, receiver.url)
    late = sign_in(cast.alice, seconds_ago=3_600)
    late.post(page_of(CHANNEL, "add"), form(cast, receiver.url, name="other"))
    late.post(page_of(CHANNEL, "rotate", channel.pk))
    assert NoticeChannel.objects.get().former_until is None
    page = sign_in(cast.alice).post(page_of(CHANNEL, "rotate", channel.pk)).content.decode()
    assert secret_of(page)
    assert NoticeChannel.objects.get().former_until is not None


@pytest.mark.parametrize("who", ["bob", "charlie"])
def test_who_may_not_is_offered_nothing_and_refused(cast: Cast, who: str) -> None:
    channel, client = channel_of(cast), sign_in(getattr(cast, who))
    client.post(
        page_of(CHANNEL, "add"), form(cast, "https://hooks.example/", team=cast.team.pk, name="other")
    )
    assert NoticeChannel.objects.count() == 1
    for action in ("try_out", "disable", "remove"):
        act(client, CHANNEL, action, channel.pk)
    client.post(page_of(CHANNEL, "rotate", channel.pk))
    after = NoticeChannel.objects.get()
    assert (after.state, after.former_until) == ("active", None)
    assert not NoticeDelivery.objects.exists()


def test_what_was_given_up_is_seen_with_its_reason_and_sent_again(cast: Cast, receiver: Receiver) -> None:
    channel, _ = make_channel(cast, receiver.url)
    receiver.statuses = [410, 204]
    alice = sign_in(cast.alice)
    act(alice, CHANNEL, "try_out", channel.pk)
    assert deliver_all() == ["410"]
    page = alice.get(page_of(CHANNEL, "change", channel.pk)).content.decode()
    assert "gone" in page
    (dead,) = NoticeDelivery.objects.all()
    listed = alice.get(
        page_of(DELIVERY, "changelist"), {"channel__id__exact": str(channel.pk)}
    ).content.decode()
    assert "410" in listed
    assert "This is a test" in alice.get(page_of(DELIVERY, "change", dead.pk)).content.decode()
    act(alice, CHANNEL, "enable", channel.pk)
    act(alice, DELIVERY, "again", dead.pk)
    assert deliver_all() == ["204"]
    assert len(set(receiver.ids)) == 1


def test_the_dashboard_says_what_does_not_arrive(cast: Cast, receiver: Receiver) -> None:
    channel, _ = make_channel(cast, receiver.url)
    alice, charlie = sign_in(cast.alice), sign_in(cast.charlie)
    assert "do not arrive" not in alice.get("/admin/").content.decode()
    receiver.statuses = [410]
    act(alice, CHANNEL, "try_out", channel.pk)
    deliver_all()
    page = alice.get("/admin/").content.decode()
    assert "Notices that do not arrive" in page
    assert page_of(CHANNEL, "change", channel.pk) in page
    assert "do not arrive" not in charlie.get("/admin/").content.decode()


def test_a_channel_is_stopped_and_removed(cast: Cast) -> None:
    channel, alice = channel_of(cast), sign_in(cast.alice)
    act(alice, CHANNEL, "disable", channel.pk)
    assert NoticeChannel.objects.get().state == "disabled"
    act(alice, CHANNEL, "remove", channel.pk)
    assert NoticeChannel.objects.get().state == "removed"


def test_lists_ask_no_more_for_more_rows(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for number in range(8):
        channel = channel_of(cast, f"c{number}")
        NoticeDelivery.objects.create(
            channel=channel, created_at=channel.created_at, due_at=channel.created_at, state="dead"
        )
    client = sign_in(cast.ada)
    for model in (CHANNEL, DELIVERY):
        with django_assert_max_num_queries(30):
            assert client.get(page_of(model, "changelist")).status_code == 200


def save_mail(client: Client, **values: Any) -> None:
    client.post(page_of(MAIL, "changelist"), values)


def test_everybody_says_themselves_what_they_want_to_hear(cast: Cast) -> None:
    fiona = sign_in(cast.fiona)
    assert "an approval is asked for" in fiona.get(page_of(MAIL, "changelist")).content.decode()
    save_mail(fiona, address="fiona@example.com", kinds=[REQUESTED])
    kept = MailPreference.objects.get()
    assert (kept.user, kept.kinds) == (cast.fiona, [REQUESTED])
    assert "fiona@example.com" in fiona.get(page_of(MAIL, "changelist")).content.decode()
    assert "fiona@example.com" not in sign_in(cast.ada).get(page_of(MAIL, "changelist")).content.decode()
    save_mail(fiona, address="", kinds=[])
    assert not MailPreference.objects.exists()


def test_where_one_is_written_to_takes_a_fresh_factor(cast: Cast) -> None:
    save_mail(sign_in(cast.fiona, seconds_ago=3_600), address="thief@example.com", kinds=[REQUESTED])
    assert not MailPreference.objects.exists()


def test_a_letter_of_somebody_else_is_not_sent_again(cast: Cast) -> None:
    dead = delivery_of(cast)
    act(sign_in(cast.bob), DELIVERY, "again", dead.pk)
    dead.refresh_from_db()
    assert dead.state == "dead"
