"""Whether the secret that a tool's configuration names is there, the team's own, and of a kind its adapter can use."""

from __future__ import annotations

from collections.abc import Iterator

from identities.models import Secret, Team
from tools.calls import CREDENTIAL
from tools.credentials.leases import LONGEST_TIMEOUT_S
from tools.services.definition import ToolDefinition

IN_A_HEADER = ("a2a", "http", "mcp")


def find_credential_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what has to be put right, worded as "where: what"."""
    if CREDENTIAL not in definition.config:
        return
    slug = definition.config[CREDENTIAL]
    secret = Secret.objects.filter(team=team, slug=slug).first() if isinstance(slug, str) else None
    if secret is None or secret.state != Secret.State.ACTIVE:
        yield "config: name as credential the slug of a secret of the tool's team that is not retired"
    elif definition.adapter in IN_A_HEADER and secret.provider == Secret.Provider.POSTGRES:
        yield "config: a database role cannot be sent in a header; name another credential, or use a function"
    if definition.timeout_s > LONGEST_TIMEOUT_S:
        yield f"timeout_s: set at most {LONGEST_TIMEOUT_S:g} seconds, for a credential is leased no longer"
