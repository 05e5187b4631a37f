"""Sending one message to a channel: opened for this moment, signed, posted."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from agentops.sealed_rows import place_of
from agentops.sealing import unseal
from agentops.webhooks import sign
from approvals.models import NoticeChannel, NoticeDelivery
from approvals.notices.formats import compose, render
from approvals.notices.posting import NotPosted, post


@dataclass(frozen=True, slots=True, repr=False)
class _Opened:
    """An address and the secrets that count, the newer first. Never shown."""

    url: str
    secrets: tuple[str, ...]


@sensitive_variables("opened")
def send_to_channel(delivery: NoticeDelivery, channel: NoticeChannel) -> str:
    """Post a message and return the status; raises NotPosted, or NoPlace before anything was sent."""
    channel.refresh_from_db()
    application = channel.application
    if channel.state != NoticeChannel.State.ACTIVE or (application and application.state != "active"):
        raise NotPosted("channel_disabled")
    body = render(channel.kind, compose(delivery.notice, delivery.created_at.isoformat()))
    opened = _open(channel)
    headers = _sign(delivery, body, opened.secrets) if opened.secrets else {}
    return post(opened.url, body, headers, allow_private=channel.allow_private)


@sensitive_variables("secrets")
def _sign(delivery: NoticeDelivery, body: bytes, secrets: tuple[str, ...]) -> dict[str, str]:
    message_id, now = f"msg_{delivery.pk}", int(timezone.now().timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(sign(secret, message_id, now, body) for secret in secrets),
    }


@sensitive_variables()
def _open(channel: NoticeChannel) -> _Opened:
    names = ["sealed_secret"] if channel.sealed_secret else []
    if channel.sealed_former_secret and channel.former_until and channel.former_until > timezone.now():
        names.append("sealed_former_secret")
    url, *secrets = (
        unseal(getattr(channel, name), context=place_of(channel, name)).decode()
        for name in ("sealed_url", *names)
    )
    return _Opened(url, tuple(secrets))
