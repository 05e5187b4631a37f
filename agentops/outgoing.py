"""Where this installation connects to at somebody's word: a tool's author, a provider of credentials, an issuer.

Names are resolved here, and all addresses of one are looked at before one is connected to: that very address, so
that a name which resolves anew in between leads nowhere else. Whatever is not surely of the public internet counts
as private, and takes two words: that of whoever named the target, and the operator's, in OUTGOING_PRIVATE_NETWORKS.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

from agentops.threads import BoundedThreads, Overrun, Raised, Saturated

Address = IPv4Address | IPv6Address

_PUBLIC = ip_network("2000::/3")
# Within it, or taken for public by the library: protocol assignments (Teredo, ORCHID), documentation, and 6to4, which
# leads wherever the IPv4 address in it does.
_SPECIAL = tuple(
    map(
        ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24")
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are the IPv4 address that is reached
_resolver = BoundedThreads(limit=16, name="resolver")


class AddressRefused(Exception):
    """A host has an address that must not be connected to."""


def resolve(host: str, port: int, *, allow_private: bool, within_s: float) -> list[str]:
    """Return a host's addresses, which are all fit to be connected to, if this target may be private.

    Raises AddressRefused; TimeoutError or OSError where there are none.
    """
    found = _look_up(host, port, within_s)
    if not all(_is_fit(_plain(text), allow_private) for text in found):
        raise AddressRefused(host)
    return found


def _look_up(host: str, port: int, within_s: float) -> list[str]:
    """Return a host's addresses. The system's resolver knows no deadline, so it runs where it can be left."""
    try:
        found = _resolver.run(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), within_s)
    except (Overrun, Saturated) as error:
        raise TimeoutError(f"{host} was not resolved in time") from error
    except Raised as raised:
        raise OSError(f"{host} cannot be resolved") from raised.error
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not addresses:
        raise OSError(f"no address for {host}")
    return addresses


def _plain(text: str) -> Address:
    """Return the address that is reached by one: IPv4 comes in several guises of IPv6."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def _is_fit(address: Address, allow_private: bool) -> bool:
    if _is_public(address):
        return True
    # Never, whatever the networks say: no tool is among them, but the metadata service of many a cloud is.
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return allow_private and any(address in network for network in settings.OUTGOING_PRIVATE_NETWORKS)


def _is_public(address: Address) -> bool:
    if any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, IPv6Address):
        return address in _PUBLIC
    return address.is_global and not address.is_multicast


def is_public_literal(host: str) -> bool:
    """Return whether a host is an address, in the one usual spelling, of the public internet."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return str(address) == host.lower() and _is_public(_plain(host))
