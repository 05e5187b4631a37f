"""Signed documents: JSON with signatures beside it, over its RFC 8785 text without what is empty (A2A 1.0, 8.4)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from agentops.canonical import canonical_json
from agentops.strict_json import MalformedJSON, parse_json
from identities.oauth.compact import ALGORITHMS, TokenRefused, VerifyingKey
from identities.oauth.signing_keys import sign_payload

Json = Mapping[str, Any]  # Any: JSON

SIGNATURES = "signatures"
TYPE = "JOSE"  # that of no token: a document never passes for one
LONGEST_HEADER = 2_048
_EMPTY: tuple[Any, ...] = ("", None, [], {})  # Any: JSON

FindKey = Callable[[str, str], VerifyingKey | None]  # by kid and jku


def sign_document(document: Json, jku: str) -> dict[str, Any]:  # Any: JSON
    """Return a document with our signature; ``jku`` is where the keys are published. Raises NoSigningKey."""
    protected, _, signature = sign_payload(signed_text(document), {"typ": TYPE, "jku": jku}).split(".")
    return {**document, SIGNATURES: [{"protected": protected, "signature": signature}]}


def verify_document(document: Json, find_key: FindKey) -> str:
    """Return the id of the key by which one of a document's signatures holds; raises TokenRefused where none does."""
    refusal = TokenRefused("unsigned")
    for each in document.get(SIGNATURES) or ():
        try:
            return _verify(each, signed_text(document), find_key)
        except TokenRefused as error:
            refusal = error
    raise refusal


def signed_text(document: Json) -> bytes:
    """Return what is signed: members that are empty are as good as absent, whatever wrote them."""
    return canonical_json(_without_empty({k: v for k, v in document.items() if k != SIGNATURES}))


def _without_empty(value: Any) -> Any:  # Any: JSON
    if isinstance(value, dict):
        kept = {name: _without_empty(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in _EMPTY}
    if isinstance(value, list):
        return [item for item in map(_without_empty, value) if item not in _EMPTY]
    return value


def _verify(signature: Any, payload: bytes, find_key: FindKey) -> str:  # Any: JSON of a stranger's
    try:
        protected, sealed = signature["protected"], signature["signature"]
        header = parse_json(base64.urlsafe_b64decode(protected + "=" * (-len(protected) % 4)))
        kid, jku, alg = (header.get(name, "") for name in ("kid", "jku", "alg"))
    except (KeyError, TypeError, ValueError, AttributeError, MalformedJSON):
        raise TokenRefused("malformed") from None
    if len(protected) > LONGEST_HEADER or not all(isinstance(each, str) for each in (kid, jku, alg, sealed)):
        raise TokenRefused("header")
    key = find_key(kid, jku)
    if key is None:
        raise TokenRefused("unknown_key")
    if alg not in ALGORITHMS or alg not in key.algorithms or "crit" in header:
        raise TokenRefused("algorithm")
    text = f"{protected}.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.{sealed}"
    try:
        jws.deserialize_compact(text, key.key, algorithms=[alg])
    except (JoseError, ValueError):
        raise TokenRefused("signature") from None
    return str(kid)
