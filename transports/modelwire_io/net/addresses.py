"""Which network addresses a download may go to."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Addresses of IPv6 that are but another spelling of one of IPv4 (RFC 6052, 2.1; RFC 4291, 2.5.5.1).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def is_public(text: str) -> bool:
    """Whether an IP address can be reached from anywhere: not loopback, private, link-local, multicast or reserved."""
    address = _parse(text)
    return address is not None and all(map(_is_global, _inside(address)))


# Asked for every request; few hosts are, and each of them often.
@lru_cache(maxsize=128)
def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _parse(name)
    return address is not None and any(inside.is_loopback for inside in _inside(address))


def may_be_public(host: str) -> bool:
    """Whether a name could be resolved to a public address: an address that is not public, or a name of this machine,
    could not.
    """
    return not is_loopback(host) if _parse(host) is None else is_public(host)


def _parse(host: str) -> Address | None:
    """An address in any spelling that a resolver takes: `127.1` and `0x7f000001` are 127.0.0.1. None for a name."""
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


def _inside(address: Address) -> list[Address]:
    """The addresses that count: this one, or the one of IPv4 that it carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    return [address, *(carried for carried in (address.sixtofour, *(address.teredo or ())) if carried is not None)]
