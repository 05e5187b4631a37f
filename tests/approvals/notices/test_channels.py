"""Channels: who may add one, where it may lead, and what of it can ever be read again."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.core import serializers
from django.db import IntegrityError, transaction
from django.utils import timezone

from agentops import outgoing
from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.store import read_entries_for_people
from agentops.sealed_rows import rewrap_all
from approvals.models import NoticeChannel, NoticeDelivery
from approvals.notices.channels import (
    create_channel,
    disable_channel,
    enable_channel,
    remove_channel,
    rotate_channel,
    send_again,
    try_channel,
)
from identities.models import User
from runs.preflight import check_installation
from tests.approvals.notices.conftest import deliver_all, make_channel
from tests.approvals.notices.receivers import Receiver
from tests.cast import Cast
from tests.factories import ApplicationFactory
from tests.ledger import kinds_of
from tests.verbs import channel_of, delivery_of, place_of

pytestmark = [pytest.mark.webhooks, pytest.mark.django_db]
HOOK = "https://hooks.example/T0/very-secret-path"


def add(cast: Cast, actor: User, **fields: Any) -> tuple[NoticeChannel, str]:
    return create_channel(actor=actor, team=cast.team, place=place_of(**fields))


@pytest.mark.parametrize("who", ["bob", "charlie", "fiona"])
def test_who_lacks_the_right_or_the_team_adds_none(cast: Cast, who: str) -> None:
    with pytest.raises(PolicyDenied):
        add(cast, getattr(cast, who))
    assert not NoticeChannel.objects.exists()


def test_an_application_adds_none_and_tries_its_own_only(cast: Cast) -> None:
    account = cast.application.service_account
    with pytest.raises(PolicyDenied):
        add(cast, account)
    own, _ = add(cast, cast.alice, application=cast.application)
    teams, _ = add(cast, cast.alice, name="team")
    assert try_channel(actor=account, channel=own).state == "waiting"
    for verb in (rotate_channel, enable_channel, disable_channel, remove_channel):
        with pytest.raises(PolicyDenied):
            verb(actor=account, channel=own)
    with pytest.raises(NotFound):
        try_channel(actor=account, channel=teams)


def test_neither_address_nor_secret_can_be_read_where_it_is_kept(cast: Cast) -> None:
    channel, secret = add(cast, cast.alice, url=HOOK)
    kept = serializers.serialize("json", NoticeChannel.objects.all())
    entries = repr(read_entries_of(channel))
    for text in (kept, entries, repr(channel), repr(place_of(url=HOOK))):
        assert "very-secret-path" not in text
        assert secret not in text
    assert channel.host == "hooks.example"
    assert rewrap_all()["approvals.noticechannel.sealed_url"] == 0


def read_entries_of(channel: NoticeChannel) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        return list(read_entries_for_people(cursor, channel.pk, contents=True))


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " "},
        {"kind": "pager"},
        {"kinds": []},
        {"kinds": ["approval.requested", "all"]},
        {"url": "ftp://hooks.example/"},
        {"url": "http://hooks.example/", "allow_private": False},
        {"url": "https://user:password@hooks.example/"},
        {"url": "https://hooks.example/#x"},
        {"url": "https://hooks.example:99999/"},
        {"url": "https:///x"},
        {"url": "https://hooks.example/a b"},
        {"url": "https://hooks.example/\r\nHost: x"},
        {"url": "https://hooks.example/" + "x" * 2_000},
    ],
)
def test_what_is_no_channel_is_refused(cast: Cast, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        add(cast, cast.alice, **fields)
    assert refused.value.code == "invalid_channel"


def test_an_application_is_one_of_the_teams_and_told_by_signed_webhook(cast: Cast) -> None:
    for fields in (
        {"application": ApplicationFactory.create()},
        {"application": cast.application, "kind": "slack"},
    ):
        with pytest.raises(ValidationFailed, match="application"):
            add(cast, cast.alice, **fields)


def test_a_name_is_taken_until_its_channel_is_removed(cast: Cast) -> None:
    channel, _ = add(cast, cast.alice)
    with pytest.raises(StateConflict):
        add(cast, cast.alice)
    remove_channel(actor=cast.alice, channel=channel)
    add(cast, cast.alice)
    gone = NoticeChannel.objects.get(pk=channel.pk)
    assert (gone.sealed_url, gone.sealed_secret, gone.state) == ("", "", "removed")
    assert not NoticeChannel.objects.visible_to(cast.ada).filter(pk=channel.pk).exists()


def test_without_an_address_of_our_own_nothing_is_told(cast: Cast, settings: LazySettings) -> None:
    channel_of(cast)
    settings.PUBLIC_URL = ""
    assert "no_public_url" in {finding.code for finding in check_installation()}
    with pytest.raises(ValidationFailed, match="PUBLIC_URL"):
        add(cast, cast.alice, name="other")
    NoticeChannel.objects.all().delete()
    assert "no_public_url" not in {finding.code for finding in check_installation()}
    settings.MAIL_FROM = "agentops@example.com"
    assert "no_public_url" in {finding.code for finding in check_installation()}


def test_a_private_address_takes_the_channels_word_and_the_operators(
    cast: Cast, receiver: Receiver, settings: LazySettings
) -> None:
    channel, _ = make_channel(cast, receiver.url)
    settings.OUTGOING_PRIVATE_NETWORKS = []
    try_channel(actor=cast.alice, channel=channel)
    assert deliver_all() == ["private_address"]
    assert receiver.posted == []


def test_without_the_guard_of_addresses_it_is_posted(
    cast: Cast, receiver: Receiver, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "_is_fit", lambda *_: True)
    with pytest.raises(AssertionError):
        test_a_private_address_takes_the_channels_word_and_the_operators(cast, receiver, settings)


def test_a_stopped_channel_is_told_nothing_and_can_be_enabled(cast: Cast, receiver: Receiver) -> None:
    channel, _ = make_channel(cast, receiver.url)
    waiting = try_channel(actor=cast.alice, channel=channel)
    disable_channel(actor=cast.alice, channel=channel)
    assert deliver_all() == ["channel_disabled"]
    with pytest.raises(StateConflict):
        try_channel(actor=cast.alice, channel=channel)
    enable_channel(actor=cast.alice, channel=channel)
    send_again(actor=cast.alice, delivery=waiting)
    assert deliver_all() == ["204"]
    told = ["channel.created", "channel.tried", "channel.disabled", "channel.enabled", "channel.sent_again"]
    assert kinds_of(channel.pk) == told


def test_only_what_was_given_up_is_sent_again_and_by_who_may(cast: Cast) -> None:
    delivery = delivery_of(cast)
    with pytest.raises(NotFound):
        send_again(actor=cast.charlie, delivery=delivery)
    with pytest.raises(PolicyDenied):
        send_again(actor=cast.bob, delivery=delivery)
    send_again(actor=cast.alice, delivery=delivery)
    with pytest.raises(StateConflict, match="waiting"):
        send_again(actor=cast.alice, delivery=delivery)


def test_a_letter_is_sent_again_by_its_own_reader_only(cast: Cast) -> None:
    now = timezone.now()
    own = NoticeDelivery.objects.create(person=cast.fiona, state="dead", created_at=now, due_at=now)
    with pytest.raises(NotFound):
        send_again(actor=cast.ada, delivery=own)
    assert send_again(actor=cast.fiona, delivery=own).state == "waiting"


def test_slack_and_teams_have_no_secret_and_a_webhook_always_has(cast: Cast) -> None:
    for kind in ("slack", "teams"):
        channel, secret = add(cast, cast.alice, kind=kind, name=kind)
        assert secret == ""
        with pytest.raises(StateConflict):
            rotate_channel(actor=cast.alice, channel=channel)
    with pytest.raises(IntegrityError), transaction.atomic():
        NoticeChannel.objects.update(kind="webhook")
