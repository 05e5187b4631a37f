"""What keeps notes from being found by their meaning where a model is set for it: until then, their words will do."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import DatabaseError, connection

from runs.memory.meaning.provider import embedder_of, find_model
from runs.models import Price
from runs.preflight.findings import Finding
from runs.routing.providers import find_target

SUBJECT = "EMBEDDINGS_MODEL"
_COMPARES = "SELECT to_regtype('vector') IS NOT NULL"


def advise_embeddings() -> Iterator[Finding]:
    """Yield what the model for vectors lacks; nothing where none is set, or no database is there to ask."""
    model = find_model()
    if not model:
        return
    try:
        yield from _advise_model(model)
    except DatabaseError:  # what stands against starting says so
        return


def _advise_model(model: str) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(_COMPARES)
        can_compare = bool((cursor.fetchone() or (False,))[0])
    if not can_compare:
        problem = "the database has no extension pgvector: notes are found by their words alone"
        remedy = "Install pgvector on its server, then CREATE EXTENSION vector as a superuser"
        yield Finding("no_pgvector", SUBJECT, problem, remedy)
    if not Price.objects.filter(model=model, active=True).exists():
        problem = f"nobody has said what {model} costs, so it is not asked"
        yield Finding("embeddings_unpriced", SUBJECT, problem, "Set its price, per million tokens of input")
    provider = find_target(model).provider
    if embedder_of(provider) is None:
        problem = f"the provider {provider} has no key or no usable address, so it is not asked"
        yield Finding(
            "embeddings_no_endpoint", SUBJECT, problem, "Set its address and key, as for other models"
        )
