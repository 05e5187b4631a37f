"""From where somebody asks of whom nothing is known yet: what limits for strangers are counted by."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest


def network_of(request: HttpRequest) -> str:
    """Return what stands for the client of a request that has proven nothing.

    Not X-Forwarded-For, which a stranger could write anew with every request.
    """
    return client_network(request.META.get("REMOTE_ADDR", ""))


def client_network(text: str) -> str:
    """Return what stands for one client: of IPv6 the network, because a client has 2^64 addresses in it."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)
