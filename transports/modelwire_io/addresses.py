"""Which network addresses a download may go to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses of IPv6 that carry one of IPv4 inside, which is the one that counts (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Whether an IP address can be reached from anywhere: not loopback, private, link-local, multicast or reserved."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(candidate.is_global and not candidate.is_multicast for candidate in _inside(address))


def _inside(address: Address) -> Iterable[Address]:
    """The address, and those that are embedded in it."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            embedded.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        found = [candidate for candidate in embedded if candidate is not None]
        # A mapped address is no address of its own: the one inside says it all.
        return found if address.ipv4_mapped is not None else [address, *found]
    return [address]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def may_be_public(host: str) -> bool:
    """Whether a name could be resolved to a public address: an address that is not public, or a name of this machine,
    could not.
    """
    name = host.strip("[]")
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return not is_loopback(name)
    return is_public(name)
