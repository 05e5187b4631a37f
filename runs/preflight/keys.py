"""Whether the keys of this installation can be guessed, or stand in for each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from agentops.sealing import named_keys
from runs.preflight.findings import Finding

SHORTEST_KEY = 50  # as Django's own check of SECRET_KEY: 50 characters, 5 of them different
FEWEST_CHARACTERS = 5
GIVEAWAYS = ("insecure", "change", "example", "secret-key", "not-a-key", "placeholder", "default")

Keys = dict[str, list[str]]


def check_keys() -> Iterator[Finding]:
    """Yield what is wrong with each key; never the key."""
    keys: Keys = {
        "SECRET_KEY": [str(settings.SECRET_KEY)],
        "AGENTOPS_DIGEST_KEY": [str(settings.AGENTOPS_DIGEST_KEY)],
        # As good as the present key: sessions and API keys made under one are taken.
        "SECRET_KEY_FALLBACKS": [str(key) for key in settings.SECRET_KEY_FALLBACKS],
    }
    try:
        # A value that an old key sealed is as open to who guesses it as one of the first key.
        keys["AGENTOPS_SEALING_KEYS"] = list(named_keys(tuple(settings.AGENTOPS_SEALING_KEYS)).values())
    except ImproperlyConfigured as error:
        remedy = "Set name:secret, such as first:`openssl rand -base64 48`"
        yield Finding("malformed_key", "AGENTOPS_SEALING_KEYS", str(error).partition(": ")[2], remedy)
    yield from _find_weak(keys)
    yield from _find_shared(keys)


def _find_weak(keys: Keys) -> Iterator[Finding]:
    remedy = f"Set at least {SHORTEST_KEY} random characters, such as `openssl rand -base64 48`"
    for name, values in keys.items():
        if any(map(_is_weak, values)):
            replaced = name == "SECRET_KEY_FALLBACKS"
            problem = (
                "a key in it is short or can be guessed" if replaced else "it is short or can be guessed"
            )
            way_out = "Take it out; what was made under it has to be made again" if replaced else remedy
            yield Finding("weak_key", name, problem, way_out)


def _find_shared(keys: Keys) -> Iterator[Finding]:
    """Yield each variable that holds a key of an earlier one; a key that SECRET_KEY replaced may be itself again."""
    for (first, one), (second, other) in combinations(keys.items(), 2):
        if not set(one).isdisjoint(other) and {first, second} != {"SECRET_KEY", "SECRET_KEY_FALLBACKS"}:
            problem = f"it holds a key of {first} too: who learns one would have both"
            yield Finding("same_key_twice", second, problem, "Set another key, or take it out")


def _is_weak(key: str) -> bool:
    return len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS or _gives_itself_away(key)


def _gives_itself_away(key: str) -> bool:
    return any(word in key.lower() for word in GIVEAWAYS)
