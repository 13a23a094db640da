"""Classify IP addresses and host names: public, or of this machine."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# IPv6 prefixes whose last 32 bits are an IPv4 address (RFC 6052, 2.1; RFC 4291, 2.5.5.1).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_public(text: str) -> bool:
    """True for a globally reachable IP address: not loopback, private, link-local, multicast or reserved."""
    address = _parse(text)
    return address is not None and all(map(_is_global, _effective_addresses(address)))


# Called for every request, mostly with the same few hosts.
@lru_cache(maxsize=128)
def is_loopback(host: str) -> bool:
    """True for a host name or address of this machine."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _parse(name)
    return address is not None and any(each.is_loopback for each in _effective_addresses(address))


def may_be_public(host: str) -> bool:
    """False for an address that is not public, and for a name of this machine.

    True for any other name: only resolving it shows its addresses.
    """
    return not is_loopback(host) if _parse(host) is None else is_public(host)


def _parse(host: str) -> Address | None:
    """Parse any spelling that a resolver accepts: `127.1` and `0x7f000001` are 127.0.0.1. None for a name."""
    bare = host.strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except OSError:
        return None


def _is_global(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _effective_addresses(address: Address) -> list[Address]:
    """The addresses to check for this one: the IPv4 address that it stands for, or itself and those embedded in it."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    return [address, *(each for each in (address.sixtofour, *(address.teredo or ())) if each is not None)]
