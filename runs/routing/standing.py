"""How the breakers stand of the models that new runs may be put to."""

from __future__ import annotations

from collections.abc import Iterator

from runs.models import AgentVersion
from runs.models.versions import list_models
from runs.routing.breakers import look_at
from runs.routing.providers import Target, find_target


def read_model_breakers() -> Iterator[tuple[Target, str]]:
    """Yield each model of a published version that asks a provider, with its breaker's state: one statement.

    While the shared breakers cannot be reached there is nothing to say: this process alone has seen little.
    """
    versions = AgentVersion.objects.filter(state=AgentVersion.State.PUBLISHED, planner="openai")
    for name in sorted({model for version in versions for model in list_models(version)}):
        target = find_target(name)
        seen = look_at(target)
        if seen.local:
            return
        yield target, seen.state
