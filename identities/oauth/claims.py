"""When a token counts and for whom: exp, nbf, iat and aud (RFC 7519, 4.1)."""

from __future__ import annotations

from typing import Any

from identities.oauth.compact import Claims, TokenRefused

LEEWAY_S = 30  # between clocks that are kept in step; more would only lengthen every token's life


def check_times(claims: Claims, now_s: float, *, longest_s: int) -> int:
    """Return the second in which the token ends; raises TokenRefused.

    exp is needed, and lies at most `longest_s` ahead; nbf and iat may be missing, but not lie.
    """
    expires = _moment(claims, "exp")
    if expires is None:
        raise TokenRefused("no_expiry")
    if now_s >= expires:
        raise TokenRefused("expired")
    if expires > now_s + longest_s + LEEWAY_S:
        raise TokenRefused("lives_too_long")
    for name in ("nbf", "iat"):
        moment = _moment(claims, name)
        if moment is not None and moment > now_s + LEEWAY_S:
            raise TokenRefused("not_yet_valid")
    return int(expires)


def _moment(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise TokenRefused("malformed_time")
    return value


def check_audience(claims: Claims, *wanted: str) -> str:
    """Return the token's one audience, which is among those wanted; raises TokenRefused."""
    named: Any = claims.get("aud")  # Any: JSON
    if isinstance(named, list):
        if len(named) != 1:
            raise TokenRefused("several_audiences" if named else "no_audience")
        named = named[0]
    if not isinstance(named, str) or not named:
        raise TokenRefused("no_audience")
    if named not in wanted:
        raise TokenRefused("audience")
    return named


def text_of(claims: Claims, name: str, longest: int = 200) -> str:
    """Return a claim that has to be a text; raises TokenRefused."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise TokenRefused(f"no_{name}")
    return value
