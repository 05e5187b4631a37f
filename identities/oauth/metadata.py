"""What this authorization server says about itself (RFC 8414)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse

from identities.oauth.compact import ALGORITHMS
from identities.oauth.scopes import CALL_TOOLS, SCOPES

CLIENT_CREDENTIALS = "client_credentials"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  the name of a grant
METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt")
TOOL_CALL = "agentops_tool_call"


def issuer() -> str:
    """Return whom tokens name as their issuer: this installation's address."""
    return str(settings.PUBLIC_URL)


def endpoint_url(name: str) -> str:
    """Return the address of an endpoint as others reach it."""
    return f"{issuer()}{reverse(f'oauth-{name}')}"


def api_audience() -> str:
    """Return what the installation's own API is called as an audience."""
    return f"{issuer()}/api/v1"


def gateway_audience() -> str:
    """Return what the gateway is called as an audience: the address at which agents outside call tools."""
    return f"{issuer()}/mcp"


def protected_resource_url() -> str:
    """Return where the gateway says what it asks for (RFC 9728, 3.1)."""
    return f"{issuer()}/.well-known/oauth-protected-resource/mcp"


def describe_gateway() -> dict[str, Any]:  # Any: JSON
    """Return the gateway's metadata document (RFC 9728, 2)."""
    return {
        "resource": gateway_audience(),
        "resource_name": "AgentOps gateway",
        "authorization_servers": [issuer()],
        "scopes_supported": [CALL_TOOLS],
        "bearer_methods_supported": ["header"],
    }


def describe_server() -> dict[str, Any]:  # Any: JSON
    """Return the metadata document."""
    ways: dict[str, object] = {}
    for name in ("token", "introspection", "revocation"):
        ways[f"{name}_endpoint"] = endpoint_url(name)
        ways[f"{name}_endpoint_auth_methods_supported"] = METHODS
        ways[f"{name}_endpoint_auth_signing_alg_values_supported"] = ALGORITHMS
    return {
        "issuer": issuer(),
        "jwks_uri": endpoint_url("jwks"),
        **ways,
        "grant_types_supported": [CLIENT_CREDENTIALS, TOKEN_EXCHANGE],
        "response_types_supported": [],
        "scopes_supported": sorted(SCOPES),
        "authorization_details_types_supported": [TOOL_CALL],
    }
