"""A sample resource server: how somebody else's tool verifies a call, with nothing of ours but the documents."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet


@dataclass
class ResourceServer:
    """One audience. ``introspect`` is asked where the last second matters; it uses the token up."""

    issuer: str
    audience: str
    fetch_keys: Callable[[], dict[str, Any]]
    introspect: Callable[[str], bool] | None = None
    used: set[str] = field(default_factory=set)

    def refuse(self, token: str, *, user: str, tool: str, key: str, arguments: dict[str, Any]) -> str:
        """Return why a call is refused, "" for one that is to be carried out."""
        try:
            claims = self._verify(token)
        except (JoseError, ValueError):
            return "token"
        if claims["sub"] != user:
            return "user"
        if not _describes(claims, tool, key, arguments):
            return "call"
        if claims["jti"] in self.used:
            return "replay"
        self.used.add(claims["jti"])
        if self.introspect is not None and not self.introspect(token):
            return "inactive"
        return ""

    def _verify(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.fetch_keys())  # type: ignore[arg-type]  # JSON, as it came
        read = jwt.decode(token, keys, algorithms=["ES256", "RS256"])
        if read.header.get("typ") != "at+jwt":
            raise ValueError("another document")
        jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
        ).validate(read.claims)
        return read.claims


def _describes(claims: dict[str, Any], tool: str, key: str, arguments: dict[str, Any]) -> bool:
    details = claims.get("authorization_details") or []
    # RFC 8785, for arguments that hold texts only.
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
    wanted = {"actions": [tool], "identifier": key, "args_sha256": digest, "type": "agentops_tool_call"}
    return bool(details == [wanted])
