"""Channels: made, changed, given another secret, tried, stopped, removed."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.rows import insert_row
from agentops.sealed_rows import place_of
from agentops.sealing import seal, unseal
from agentops.text import is_blank
from agentops.webhooks import PREFIX
from approvals.models import NoticeChannel, NoticeDelivery
from approvals.notices.channel_health import STREAM_KIND
from approvals.notices.kinds import list_kinds
from identities.factors import require_fresh_factor
from identities.models import Application, Team, User
from identities.policies import require
from identities.querysets import is_known_person

ADD, CHANGE = "approvals.add_noticechannel", "approvals.change_noticechannel"
DELIVER = "approvals.deliver_notice"
OVERLAP = timedelta(hours=24)  # in which the former secret signs too
KEY_BYTES = 32  # the standard asks for 24 to 64
LONGEST_URL, LONGEST_NAME = 2_000, 80
State = NoticeChannel.State


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A channel as somebody describes it. Never shown: the address is a secret."""

    name: str
    kind: str
    url: str
    kinds: Sequence[str]
    application: Application | None = None
    allow_private: bool = False


@sensitive_variables("place", "secret")
@transaction.atomic
def create_channel(*, actor: User, team: Team, place: Place) -> tuple[NoticeChannel, str]:
    """Have a team, or an application of it, told somewhere; return the channel and its secret, never seen again.

    The secret is empty for a kind that is not signed. Raises ValidationFailed, StateConflict for a name that is taken.
    """
    require(actor, ADD, team)
    require_fresh_factor(actor)
    if faults := [*_find_faults(place, team)]:
        raise ValidationFailed("invalid_channel", "; ".join(faults), problems=faults)
    channel = NoticeChannel(
        team=team, application=place.application, name=place.name, kind=place.kind,
        host=urlsplit(place.url).hostname or "", kinds=sorted(set(place.kinds)), allow_private=place.allow_private,
        created_by=actor,
    )  # fmt: skip
    secret = new_secret() if place.kind == NoticeChannel.Kind.WEBHOOK else ""
    _seal(channel, "sealed_url", place.url)
    _seal(channel, "sealed_secret", secret)
    insert_row(channel)
    facts = {
        "team": str(team.pk), "name": place.name, "kind": place.kind, "host": channel.host, "kinds": channel.kinds,
        "application": str(place.application.pk) if place.application else None,
        "allow_private": place.allow_private,
    }  # fmt: skip
    _record(channel, "channel.created", actor, facts)
    return channel, secret


@sensitive_variables("secret", "former")
@transaction.atomic
def rotate_channel(*, actor: User, channel: NoticeChannel) -> tuple[NoticeChannel, str]:
    """Give a webhook another secret; for a day both sign. Return it: it is never seen again."""
    locked = _lock(actor, channel)
    if locked.kind != NoticeChannel.Kind.WEBHOOK:
        raise StateConflict("not_signed", "only a signed webhook has a secret")
    former = unseal(locked.sealed_secret, context=place_of(locked, "sealed_secret")).decode()
    secret = new_secret()
    _seal(locked, "sealed_former_secret", former)
    _seal(locked, "sealed_secret", secret)
    locked.former_until = timezone.now() + OVERLAP
    locked.save(update_fields=["sealed_secret", "sealed_former_secret", "former_until"])
    _record(locked, "channel.rotated", actor, {"former_until": locked.former_until.isoformat()})
    return locked, secret


@transaction.atomic
def enable_channel(*, actor: User, channel: NoticeChannel) -> NoticeChannel:
    """Have a stopped channel told again, of what comes from now on."""
    locked = _lock(actor, channel)
    if locked.state == State.DISABLED:
        locked.state, locked.disabled_because = State.ACTIVE, ""
        locked.failures, locked.failing_since = 0, None
        locked.save(update_fields=["state", "disabled_because", "failures", "failing_since"])
        _record(locked, "channel.enabled", actor, {})
    return locked


@transaction.atomic
def disable_channel(*, actor: User, channel: NoticeChannel) -> NoticeChannel:
    """Stop a channel; what waits for it is given up. Asks for no fresh factor: it only stops."""
    locked = _lock(actor, channel, fresh=False)
    if locked.state == State.ACTIVE:
        locked.state, locked.disabled_because = State.DISABLED, "by hand"
        locked.save(update_fields=["state", "disabled_because"])
        _record(locked, "channel.disabled", actor, {"because": locked.disabled_because})
    return locked


@transaction.atomic
def remove_channel(*, actor: User, channel: NoticeChannel) -> NoticeChannel:
    """Take a channel away for good, its address and secrets with it; its name is free again."""
    locked = _lock(actor, channel)
    locked.state, locked.disabled_because = State.REMOVED, "removed"
    locked.sealed_url = locked.sealed_secret = locked.sealed_former_secret = ""
    locked.save()
    _record(locked, "channel.removed", actor, {})
    return locked


@transaction.atomic
def try_channel(*, actor: User, channel: NoticeChannel) -> NoticeDelivery:
    """Send a test message there; raises StateConflict for a stopped channel. An application may try its own."""
    locked = _lock(actor, channel, fresh=False, own=True)
    if locked.state != State.ACTIVE:
        raise StateConflict("channel_disabled", "the channel is stopped: enable it first")
    now = timezone.now()
    delivery = NoticeDelivery.objects.create(channel=locked, created_at=now, due_at=now)
    _record(locked, "channel.tried", actor, {"delivery": str(delivery.pk)})
    send_after_commit(DELIVER, str(delivery.pk))
    return delivery


@transaction.atomic
def send_again(*, actor: User, delivery: NoticeDelivery) -> NoticeDelivery:
    """Try a message again that was given up, under the id that it had; raises StateConflict for any other."""
    if not NoticeDelivery.objects.visible_to(actor).filter(pk=delivery.pk).exists():
        raise NotFound("unknown_delivery", "there is no such delivery")
    locked = NoticeDelivery.objects.select_for_update(of=("self",)).get(pk=delivery.pk)
    if locked.channel is not None:
        _lock(actor, locked.channel, fresh=False, own=True)
    elif locked.person_id != actor.pk:
        raise PolicyDenied("not_permitted", "it is somebody else's")
    if locked.state != NoticeDelivery.State.DEAD:
        raise StateConflict(
            "not_given_up", f"this delivery is {locked.state}: only one that was given up goes again"
        )
    locked.state, locked.attempts, locked.due_at = NoticeDelivery.State.WAITING, 0, timezone.now()
    locked.ended_at = locked.lease_until = None
    locked.save(update_fields=["state", "attempts", "due_at", "ended_at", "lease_until"])
    if locked.channel is not None:
        _record(locked.channel, "channel.sent_again", actor, {"delivery": str(locked.pk)})
    send_after_commit(DELIVER, str(locked.pk))
    return locked


def find_channel(viewer: User, channel: UUID) -> NoticeChannel:
    """Return a channel that this account may see; raises NotFound."""
    rows = NoticeChannel.objects.visible_to(viewer).select_related("team", "application")
    found: NoticeChannel | None = rows.filter(pk=channel).first()
    if found is None:
        raise NotFound("unknown_channel", "There is no such channel, or it is not for you to see.")
    return found


def new_secret() -> str:
    """Return a secret as receivers write it down."""
    return PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def offered_kinds(*, for_application: bool) -> list[str]:
    """Return of what may be told: a team is not told what is an application's own business."""
    return [kind.name for kind in list_kinds() if for_application or not kind.for_applications_only]


@sensitive_variables("value")
def _seal(channel: NoticeChannel, field: str, value: str) -> None:
    setattr(channel, field, seal(value.encode(), context=place_of(channel, field)) if value else "")


@sensitive_variables("place")
def _find_faults(place: Place, team: Team) -> Iterator[str]:
    if is_blank(place.name) or len(place.name) > LONGEST_NAME:
        yield f"name: up to {LONGEST_NAME} characters"
    if place.kind not in NoticeChannel.Kind.values:
        yield f"kind: one of {', '.join(NoticeChannel.Kind.values)}"
    if place.application and (
        place.application.team_id != team.pk or place.kind != NoticeChannel.Kind.WEBHOOK
    ):
        yield "application: one of the team's, and told by signed webhook"
    offered = offered_kinds(for_application=place.application is not None)
    if not place.kinds or set(place.kinds) - set(offered):
        yield f"kinds: at least one of {', '.join(offered)}"
    if not settings.PUBLIC_URL:
        yield "PUBLIC_URL: has to be set first, for notices lead there"
    if not _is_address(place.url, place.allow_private):
        yield "url: https, without user and fragment (http only to this machine, with allow_private)"


@sensitive_variables()
def _is_address(url: str, allow_private: bool) -> bool:
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = parts.username is None and parts.password is None and not parts.fragment
    return is_whole and is_plain and parts.scheme in ("https", *(["http"] if allow_private else []))


def _lock(actor: User, channel: NoticeChannel, *, fresh: bool = True, own: bool = False) -> NoticeChannel:
    """Lock a channel that the actor may change; ``own``: or that is the acting application's."""
    if not NoticeChannel.objects.visible_to(actor).filter(pk=channel.pk).exists():
        raise NotFound("unknown_channel", "there is no such channel")
    locked = NoticeChannel.objects.select_for_update(of=("self",)).select_related("team").get(pk=channel.pk)
    if not own or is_known_person(actor):
        require(actor, CHANGE, locked.team)
    if fresh:
        require_fresh_factor(actor)
    return locked


def _record(channel: NoticeChannel, kind: str, actor: User, facts: Mapping[str, object]) -> None:
    record(channel.pk, STREAM_KIND, Draft(kind, timezone.now(), dict(facts), actor=actor.pk))
