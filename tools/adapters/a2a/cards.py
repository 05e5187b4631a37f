"""An agent's card: fetched as every address that somebody names, its signature checked, its skills read as tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agentops.errors import ValidationFailed
from agentops.strict_json import MalformedJSON, parse_json
from identities.oauth.compact import TokenRefused, VerifyingKey
from identities.oauth.documents import SIGNATURES, verify_document
from identities.oauth.fetching import NotFetched, fetch_json
from identities.oauth.keys import UnusableKey, import_public_jwk
from tools.adapters.a2a.config import have_one_origin
from tools.adapters.http.request import PLAIN_HEADERS, Request
from tools.adapters.http.wire import Wire
from tools.adapters.mcp.definitions import Described

Json = Mapping[str, Any]  # Any: JSON of a stranger's

WELL_KNOWN = "/.well-known/agent-card.json"
CARD_LIMIT_BYTES = 256 * 1024
MOST_SKILLS = 100
TASK_SCHEMA: dict[str, Any] = {  # Any: JSON Schema
    "type": "object",
    "properties": {
        "task": {
            "type": "string",
            "minLength": 1,
            "maxLength": 8_000,
            "description": "What is to be done, whole in itself: the agent is told nothing else of the conversation.",
        }
    },
    "required": ["task"],
    "additionalProperties": False,
}


def read_skills(base: str, allow_private: bool, within_s: float) -> list[Described]:
    """Return an agent's skills; raises ValidationFailed for a card that cannot be had, read or believed."""
    card = _fetch(base.removesuffix(WELL_KNOWN).rstrip("/") + WELL_KNOWN, allow_private, within_s)
    told = {
        "agent": _text(card, "name", 120),
        "version": _text(card, "version", 60),
        "url": _find_interface(card, base),
        "token_header": _find_token_header(card),
        "signed_by": _find_signer(card, base, allow_private),
    }
    skills = card.get("skills")
    if not isinstance(skills, list) or not 0 < len(skills) <= MOST_SKILLS:
        raise ValidationFailed("bad_card", f"its card lists no skills, or more than {MOST_SKILLS}")
    return [_describe(skill, card, told) for skill in skills]


def _fetch(url: str, allow_private: bool, within_s: float) -> Json:
    parts = urlsplit(url)
    headers = [(b"Host", parts.netloc.encode()), (b"Accept", b"application/json"), *PLAIN_HEADERS]
    request = Request(
        "GET", parts.scheme, parts.hostname or "", parts.port, parts.path, headers, None, CARD_LIMIT_BYTES,
        allow_private,
    )  # fmt: skip
    wire = Wire()
    seen = wire.send(request, timeout_s=within_s)
    wire.close()
    if seen.fault or seen.status != 200:
        raise ValidationFailed("bad_card", f"its card was not had: {seen.fault or seen.status}")
    try:
        card = parse_json(seen.body)
    except MalformedJSON as error:
        raise ValidationFailed("bad_card", f"its card cannot be read: {error}") from None
    if not isinstance(card, dict):
        raise ValidationFailed("bad_card", "its card is no object")
    return card


def _text(card: Json, name: str, longest: int) -> str:
    text = card.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable():
        raise ValidationFailed("bad_card", f"its card has no {name} of 1 to {longest} printable characters")
    return text


def _find_interface(card: Json, base: str) -> str:
    """Return where it speaks JSON-RPC of 1.x: nowhere but where its card is, for tokens and secrets are sent there."""
    for each in card.get("supportedInterfaces") or ():
        if not isinstance(each, dict) or each.get("protocolBinding") != "JSONRPC":
            continue
        url, version = each.get("url"), each.get("protocolVersion")
        if isinstance(url, str) and str(version).startswith("1.") and have_one_origin(url, base):
            return url
    raise ValidationFailed("bad_card", "its card names no JSON-RPC interface of A2A 1.x at its own address")


def _find_token_header(card: Json) -> str:
    """Return the header in which it wants a user's token beside a credential, "" where it names none."""
    schemes = card.get("securitySchemes")
    for each in schemes.values() if isinstance(schemes, dict) else ():
        named = each.get("apiKeySecurityScheme") if isinstance(each, dict) else None
        if isinstance(named, dict) and named.get("location") == "header":
            return str(named.get("name", ""))[:64]
    return ""


def _find_signer(card: Json, base: str, allow_private: bool) -> str:
    """Return the id of the key that has signed the card, "" for one that nobody has; a false signature is a fault."""
    if not card.get(SIGNATURES):
        return ""

    def find(kid: str, jku: str) -> VerifyingKey | None:
        if not have_one_origin(jku, base):  # somebody else's keys prove nothing about it
            raise TokenRefused("key_elsewhere")
        listed = fetch_json(jku, allow_private=allow_private).get("keys")
        found = [key for key in listed if isinstance(key, dict) and key.get("kid") == kid] if listed else []
        return import_public_jwk(found[0]) if found else None

    try:
        return verify_document(card, find)
    except (TokenRefused, NotFetched, UnusableKey) as error:
        why = getattr(error, "reason", "unusable_key")
        raise ValidationFailed("bad_card", f"its card's signature does not hold: {why}") from None


def _describe(skill: Any, card: Json, told: dict[str, str]) -> Described:  # Any: JSON
    given = skill if isinstance(skill, dict) else {}
    words = [given.get("description"), given.get("name")]
    description = next((text for text in words if isinstance(text, str) and text.strip()), "")
    return Described(str(given.get("id", ""))[:200], description, TASK_SCHEMA, None, dict(told))
