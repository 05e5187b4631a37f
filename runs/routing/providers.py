"""The providers of an installation, and whose model a name means."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid5

from django.conf import settings

DEFAULT = "default"  # the provider of OPENAI_BASE_URL, and of each name that begins with no other's
# Keys of breakers are UUIDs, as those of tools: this one's are of nothing else.
_MODELS = UUID("b7c1d7c6-6a5e-4c39-9d3c-5f0a6d1f6f0e")


@dataclass(frozen=True, slots=True)
class Target:
    """A model of a provider. ``name`` is what versions and prices call it, ``model`` what the provider does."""

    name: str
    provider: str
    model: str

    @property
    def breaker_id(self) -> UUID:
        """Return the key of its breaker, the same in every worker."""
        return uuid5(_MODELS, f"{self.provider}\n{self.model}")


def find_target(name: str) -> Target:
    """Return whose model a name means: ``backup/large`` is the model ``large`` of a provider ``backup``, if any is.

    Any other name is the default provider's as it stands, for its own names may have strokes in them.
    """
    provider, _, model = name.partition("/")
    if model and provider in settings.MODEL_PROVIDERS:
        return Target(name, provider, model)
    return Target(name, DEFAULT, name)


def endpoint_of(provider: str) -> tuple[str, str]:
    """Return address and key of a provider; a key of the default one is sent to no other."""
    if provider == DEFAULT:
        return settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY
    return settings.MODEL_PROVIDERS[provider], settings.MODEL_PROVIDER_KEYS[provider]
