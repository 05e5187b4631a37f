"""Whether the audience that a tool's configuration names is served by its team, and nothing else signs its calls in."""

from __future__ import annotations

from collections.abc import Iterator

from identities.models import Application, Secret, Team
from identities.secret_settings import parse_settings
from tools.calls import AUDIENCE, CREDENTIAL
from tools.services.definition import ToolDefinition

HEADER = "authorization"


def find_audience_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what has to be put right, worded as "where: what"."""
    audience = definition.config.get(AUDIENCE)
    if not isinstance(audience, str):
        return
    if not Application.objects.filter(team=team, audience=audience, state=Application.State.ACTIVE).exists():
        yield "config: name as audience what an active application of the tool's team serves"
    slug = definition.config.get(CREDENTIAL)
    secret = Secret.objects.filter(team=team, slug=slug).first() if isinstance(slug, str) else None
    # Two masters: the server would get one of them, and nobody could say which.
    if (
        secret is not None
        and header_of(secret).lower() == definition.config.get("token_header", HEADER).lower()
    ):
        yield "config: name an audience, or a credential that is not sent where the token is; not both"


def header_of(secret: Secret) -> str:
    """Return the header that a secret is sent in; empty for one that is sent in none."""
    return getattr(parse_settings(secret.provider, secret.settings), "header", "")
