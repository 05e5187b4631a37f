"""The model that turns texts into vectors, if one is set, and who is asked for it."""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings

from agentops.messages import send_after_commit, send_now
from runs.planner.embeddings import Embedder
from runs.routing.providers import endpoint_of

logger = logging.getLogger(__name__)

MAKE_VECTORS = "runs.make_vectors"
# A lost message is no loss: whoever looks twice a minute finds what is due.
HINT_EXPIRES_S = 60.0


def find_model() -> str:
    """Return the name of the model, as prices have it; empty where notes are found by their words alone."""
    return str(settings.EMBEDDINGS_MODEL)


@cache
def embedder_of(provider: str) -> Embedder | None:
    """Return this process's way to a provider, or None where it has no usable address or key."""
    try:
        base_url, api_key = endpoint_of(provider)
        return Embedder(base_url=base_url, api_key=api_key)
    except (KeyError, ValueError) as fault:
        logger.warning("the provider %s cannot be asked for vectors: %s", provider, type(fault).__name__)
        return None


def hint_vectors() -> None:
    """Say to a worker, at once, that a note may be without its vector."""
    if find_model():
        send_now(MAKE_VECTORS, queue="bulk", expires_s=HINT_EXPIRES_S)


def hint_vectors_after_commit() -> None:
    """Say so once the surrounding transaction has committed."""
    if find_model():
        send_after_commit(MAKE_VECTORS, queue="bulk")
