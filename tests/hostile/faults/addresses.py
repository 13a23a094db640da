"""Images at addresses that a server must not name: this machine, this network, a file."""

from __future__ import annotations

from typing import Any

from .scenario import Check, Scenario, order
from .server import say
from .sites import PICTURE_PATH, image_at

NOTHING_SAVED: dict[str, Check] = {"got an image": lambda result: not result.observed.images}

# Spellings of this machine. `{port}` is the port of another server.
LOOPBACK = (
    *("127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "2130706433"),
    *("0177.0.0.1", "017700000001", "0", "0.0.0.0", "00.00.00.00", "127.0.0.1.", "127.1."),
    *("[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]"),
    *("[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::1%25lo]"),
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "user:password@127.0.0.1", "example.com@127.0.0.1"),
)
# Private, link-local and unspecified addresses.
PRIVATE = (
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "198.18.0.1", "192.0.0.1"),
    *("169.254.169.254", "0xa9fea9fe", "2852039166", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fd00::1]"),
    *("[fe80::1]", "[fec0::1]", "[fc00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[2002:a00:1::]"),
    *("224.0.0.1", "255.255.255.255", "240.0.0.1", "[ff02::1]", "192.0.2.1", "[2001:db8::1]"),
)
# URLs from which an image cannot be fetched.
NO_URLS = {
    "a file": "file:///etc/passwd",
    "data": "data:image/png;base64,iVBORw0KGgo=",
    "FTP": "ftp://127.0.0.1/picture.png",
    "gopher": "gopher://127.0.0.1:{port}/_GET",
    "a script": "javascript:alert(1)",
    "a path": "/picture.png",
    "a path of another host": "//127.0.0.1:{port}/picture.png",
    "nothing": "",
    "no host": "http:///picture.png",
    "a host alone": "127.0.0.1:{port}",
    "a line end": "http://127.0.0.1:{port}/a\r\nX-Evil: 1",
    "a zero byte": "http://127.0.0.1:{port}/a\0b",
    "a blank": "http://127.0.0.1:{port}/a b",
    "an invalid port": "http://example.com:99999/",
    "brackets that are not closed": "http://[::1/",
    "a megabyte": "x" * 500_000,
}
# Names and their addresses. ` | ` separates the results of successive look-ups.
NAMES = {
    "this machine": "127.0.0.1",
    "this machine, in IPv6": "::1",
    "this machine, in IPv6 for IPv4": "::ffff:127.0.0.1",
    "a public address and this machine": "93.184.215.14 127.0.0.1",
    "this machine and a public address": "127.0.0.1 93.184.215.14",
    "the metadata of a cloud": "169.254.169.254",
    "a private address": "192.168.1.1",
    "a private address of IPv6": "fd00::1",
    "any address of this machine": "0.0.0.0",
}


def refused(name: str, url: str, kinds: str = "connect protocol", **more: Any) -> Scenario:
    """An image that must not be fetched."""
    return order(f"an image at {name}", image_at(url), kinds, also=NOTHING_SAVED, **more)


SCENARIOS = [
    *(refused(host, f"http://{host}:{{port}}/picture.png") for host in LOOPBACK),
    *(refused(host, f"http://{host}/latest/meta-data") for host in PRIVATE),
    *(refused(name, url, "protocol") for name, url in NO_URLS.items()),
    *(
        refused(
            f"a name of {what}",
            "http://images.example:{port}/picture.png",
            "connect",
            names={"images.example": addresses},
        )
        for what, addresses in NAMES.items()
    ),
    refused(
        "a name that contains an address",
        "http://127.0.0.1.nip.example:{port}/",
        "connect",
        names={"127.0.0.1.nip.example": "127.0.0.1"},
    ),
    refused("an unknown name", "http://unknown.example/", "connect"),
    refused(
        "a name that changes its address",
        "http://images.example:{port}/",
        "connect",
        names={"images.example": "127.0.0.2 | 127.0.0.1"},
        public=("127.0.0.2",),
    ),
    refused("another port of the provider", "{other}/picture.png"),
    refused("the provider, by another name of its host", "{other}/picture.png".replace("127.0.0.1", "localhost")),
    refused("the provider, over TLS", "https://127.0.0.1:{port}/picture.png"),
    *(
        order(
            f"an image that redirects to {place}",
            {PICTURE_PATH: say("", f"Location: {place}", status="302 Found")},
            "status",
            most=1,
            also=NOTHING_SAVED,
        )
        for place in (
            "{other}/picture.png",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]:{port}/",
            "file:///etc/passwd",
            "/picture2.png",
        )
    ),
    order(
        "an image at another origin, which gets no secret of the user",
        image_at("http://images.example:{port}/picture.png"),
        "answer",
        names={"images.example": "127.0.0.1"},
        public=("127.0.0.1",),
        reaches=True,
    ),
]
