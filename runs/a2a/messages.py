"""What a caller says in a message: words, or typed values written as JSON; for whom, and of which type the task is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentops.errors import ValidationFailed

if TYPE_CHECKING:
    from a2a.types import Message, SendMessageRequest

PRINCIPAL, TASK = "io.agentops/principal", "io.agentops/task"  # of a message's metadata
ID_LIMIT = 200
ANY = "any"  # the one skill of an agent that declares no types of tasks
TEXT = "text/plain"


class WrongMedia(ValidationFailed):
    """What was sent, or is wanted back, is of a kind that is not spoken here."""


class WantsPush(ValidationFailed):
    """The caller wants to be called, which is not done here."""


@dataclass(frozen=True, slots=True)
class Said:
    """``task_id`` names the task that the message goes on with, "" for a new one; ``skill`` a declared type of task.

    ``principal`` is the user (issuer, subject) whom the caller names, None where it leaves that to a token.
    """

    text: str
    message_id: str
    task_id: str
    context_id: str
    skill: str
    principal: dict[str, str] | None

    @property
    def marked(self) -> list[Any]:  # Any: JSON
        """Return what a repetition has to say alike."""
        return [self.text, self.task_id, self.context_id, self.skill, self.principal]


def read_said(params: SendMessageRequest) -> Said:
    """Return what a request says; raises ValidationFailed, WrongMedia, WantsPush."""
    from a2a.types import Role
    from google.protobuf.json_format import MessageToDict

    message, wished = params.message, params.configuration
    if wished.HasField("task_push_notification_config"):
        raise WantsPush("push_not_supported", "nobody is called from here: subscribe, or ask again")
    if wished.accepted_output_modes and not _takes_text(list(wished.accepted_output_modes)):
        raise WrongMedia("text_only", f"answers are {TEXT}")
    if message.role != Role.ROLE_USER:
        raise ValidationFailed("bad_role", "a message to an agent has ROLE_USER")
    told = MessageToDict(message.metadata)
    return Said(
        text=_read_text(message),
        message_id=_read_id(message.message_id),
        task_id=message.task_id,
        context_id=message.context_id,
        skill=_read_skill(told),
        principal=_read_principal(told),
    )


def _takes_text(modes: list[str]) -> bool:
    return any(mode.split(";")[0].strip().lower() in (TEXT, "text/*", "*/*") for mode in modes)


def _read_id(text: str) -> str:
    if not text or len(text) > ID_LIMIT or not text.isprintable():
        raise ValidationFailed("bad_message_id", f"messageId has 1 to {ID_LIMIT} printable characters")
    return text


def _read_text(message: Message) -> str:
    return "\n\n".join(_read_part(part) for part in message.parts)


def _read_part(part: Any) -> str:  # Any: a type of the SDK
    from google.protobuf.json_format import MessageToDict

    match part.WhichOneof("content"):
        case "text":
            return str(part.text)
        case "data":
            told = _plain(MessageToDict(part.data))
            return json.dumps(told, ensure_ascii=False, indent=2, sort_keys=True)
    raise WrongMedia("text_or_data_only", "parts are text or data; files are not taken")


def _plain(value: Any) -> Any:  # Any: JSON
    """Return a value as its sender wrote it: the protocol's types know no whole numbers, and no order of names."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _read_skill(told: Mapping[str, Any]) -> str:  # Any: JSON
    skill = told.get(TASK, "")
    if not isinstance(skill, str):
        raise ValidationFailed("bad_task", f"{TASK} names one of the card's skills")
    return "" if skill == ANY else skill


def _read_principal(told: Mapping[str, Any]) -> dict[str, str] | None:  # Any: JSON
    named = told.get(PRINCIPAL)
    if named is None:
        return None
    if not isinstance(named, Mapping) or set(named) != {"issuer", "subject"}:
        raise ValidationFailed("bad_principal", f"{PRINCIPAL} has issuer and subject")
    if not all(isinstance(text, str) and 0 < len(text) <= ID_LIMIT for text in named.values()):
        raise ValidationFailed("bad_principal", f"{PRINCIPAL}: texts of 1 to {ID_LIMIT} characters")
    return dict(named)
