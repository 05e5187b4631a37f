"""What a server lists, asked by this installation in its own name: no agent acts here, and no end user."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from agentops.errors import AgentOpsError
from agentops.identifiers import new_id
from agentops.sealed_rows import place_of
from agentops.sealing import unseal
from identities.models import Secret
from identities.oauth.metadata import issuer
from identities.oauth.tokens import draft_token, sign_token
from identities.secret_settings import parse_settings
from tools.adapters.mcp.config import parse_pinned
from tools.adapters.mcp.definitions import find_faults
from tools.commands import parse_commands
from tools.credentials.material import Credential
from tools.credentials.providers import CredentialTrouble, LeaseTerms, OpenSecret, get_provider
from tools.models import ToolServer
from tools.services.documents import Reading, read_operations
from tools.services.modules import load_module
from tools.services.origins import NO_TOOL, config_of, find_target_faults

logger = logging.getLogger(__name__)

WITHIN_S = 15.0
OURSELVES = "agentops"
LIST_TOOLS = "tools:list"


@dataclass(frozen=True, slots=True)
class Listed:
    """What is said of one tool; with faults it cannot be taken over, and has no digest. Any: JSON."""

    name: str
    values: dict[str, Any]
    digest: str
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Listing:
    """What was listed, or in one line why nothing was. `reading`: of a document, where it was read out of one."""

    tools: tuple[Listed, ...] = ()
    trouble: str = ""
    latency_ms: int | None = None
    reading: Reading | None = None


def list_server(server: ToolServer, document: str = "") -> Listing:
    """Ask a server for its tools, or read them out of the document that somebody has brought.

    Raises nothing that a server, a network, a credential or a document can cause.
    """
    faults = find_target_faults(server)
    if faults:
        return Listing(trouble="; ".join(faults)[:200])
    started = time.monotonic()
    try:
        if server.transport == ToolServer.Transport.OPENAPI:
            reading = read_operations(server, document, WITHIN_S)
            tools = [Listed(each.name, each.values, each.digest, each.faults) for each in reading.operations]
        elif server.transport == ToolServer.Transport.PYTHON:
            reading, tools = None, _read_module(server.module)
        elif server.transport == ToolServer.Transport.A2A:
            reading, tools = None, _read_card(server)
        else:
            reading, tools = None, _ask(server)
    except AgentOpsError as error:
        return Listing(trouble=error.detail[:200])
    except Exception as error:  # a boundary: whatever it says may hold what we were let in by
        logger.error("the server %s was not asked: %s", server.slug, type(error).__name__)
        return Listing(trouble="it could not be asked; the log says by which error")
    return Listing(tuple(tools), "", round((time.monotonic() - started) * 1000), reading)


def _ask(server: ToolServer) -> list[Listed]:
    from tools.adapters.mcp.listing import ask_for_tools  # the SDK weighs as much as all of Django
    from tools.adapters.mcp.readable import find_template_faults

    target = parse_pinned({**config_of(server), **NO_TOOL}).target
    with _papers(server) as headers:
        described = ask_for_tools(target, headers, parse_commands(settings.MCP_COMMANDS), WITHIN_S)
    found = [(each, [*find_faults(each), *find_template_faults(each.name)]) for each in described]
    return [Listed(each.name, each.values(), "" if faults else each.digest, faults) for each, faults in found]


def _read_card(server: ToolServer) -> list[Listed]:
    """Return the skills of an agent's card, which is public: nothing that lets us in is sent for it."""
    from tools.adapters.a2a.cards import read_skills  # few installations call agents elsewhere

    described = read_skills(server.url, server.allow_private, WITHIN_S)
    found = [(each, find_faults(each)) for each in described]
    return [Listed(each.name, each.values(), "" if faults else each.digest, faults) for each, faults in found]


def _read_module(name: str) -> list[Listed]:
    from tools.functions import list_functions  # which takes pydantic along

    listed = []
    for function, described, faults in list_functions(load_module(name)):
        usable = described if not faults else None
        values = usable.values() if usable else {"name": function}
        listed.append(Listed(function, values, usable.digest if usable else "", faults))
    return listed


@contextmanager
def _papers(server: ToolServer) -> Iterator[list[tuple[bytes, bytes]]]:
    """Give what lets us in: a token of our own without any call in it, and the server's credential for the moment."""
    headers = [_token(server.audience).header_line()] if server.audience else []
    if not server.credential:
        yield headers
        return
    row = Secret.objects.filter(team=server.team, slug=server.credential, state="active").first()
    if row is None or not row.sealed_value:
        raise CredentialTrouble("credential_unavailable", "the server's credential has no value in force")
    value = unseal(row.sealed_value, context=place_of(row, "sealed_value")).decode()
    secret, provider = (
        OpenSecret(parse_settings(row.provider, row.settings), value),
        get_provider(row.provider),
    )
    terms = LeaseTerms(new_id(), timezone.now() + timedelta(seconds=2 * WITHIN_S))
    released = provider.issue(secret, terms)
    header, scheme = getattr(secret.settings, "header", ""), getattr(secret.settings, "scheme", "")
    try:
        yield [*headers, Credential(released.material, header, scheme).header_line()]
    finally:
        provider.end(secret, released.handle or provider.handle_of(terms.id))


def _token(audience: str) -> Credential:
    """Return a token by which a server may list its tools to us, and do nothing."""
    scope = frozenset({LIST_TOOLS})
    told = draft_token(
        client_id=OURSELVES,
        subject=OURSELVES,
        principal_issuer=issuer(),
        audience=audience,
        scope=scope,
        epoch=0,
    )
    return Credential(sign_token(told), "Authorization", "Bearer")
