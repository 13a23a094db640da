"""Public addresses, and those of this machine."""

from __future__ import annotations

import pytest

from modelwire_io.net.addresses import is_loopback, is_public, may_be_public

PUBLIC = [
    "93.184.215.14",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.0",
    "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
LOOPBACK = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    # Spellings that a resolver accepts for 127.0.0.1.
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
]
NOT_PUBLIC = [
    *LOOPBACK,
    "0.0.0.0",
    "0.1.2.3",
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "10.1",
    "::",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::10.0.0.1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4, of 127.0.0.1
    "2002:a00:1::",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "4000::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
LOCAL_NAMES = ["localhost", "LOCALHOST", "localhost.", "api.localhost", "a.b.localhost."]
OTHER_NAMES = ["example.org", "localhost.example.org", "notlocalhost", "1.2.3.4.example.org", "a_b", "12.34.56.78.90"]


@pytest.mark.parametrize("address", PUBLIC)
def test_is_public(address: str) -> None:
    assert is_public(address)
    assert may_be_public(address)
    assert not is_loopback(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert not may_be_public(address)


@pytest.mark.parametrize("name", [*OTHER_NAMES, *LOCAL_NAMES, ""])
def test_a_host_name_is_not_a_public_address(name: str) -> None:
    assert not is_public(name)


@pytest.mark.parametrize("host", [*LOOPBACK, *LOCAL_NAMES])
def test_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [*OTHER_NAMES, "10.0.0.1", "0.0.0.0", "::", "fe80::1%lo", ""])
def test_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_may_be_public(name: str) -> None:
    assert may_be_public(name)


@pytest.mark.parametrize("name", LOCAL_NAMES)
def test_a_name_of_this_machine_is_not_public(name: str) -> None:
    assert not may_be_public(name)


def test_brackets_around_an_address_are_ignored() -> None:
    assert is_loopback("[::1]")
    assert not may_be_public("[::1]")
    assert may_be_public("[2001:4860:4860::8888]")
