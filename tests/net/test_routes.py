"""The route of a request, and its request line and headers there."""

from __future__ import annotations

import pytest

from modelwire.errors import ConnectError
from modelwire.http import Request
from modelwire_io.net.proxies import Proxy, ProxyTable
from modelwire_io.net.routes import Route, find_route

DIRECT = ProxyTable("", {})


def get(url: str, *, public_only: bool = False) -> Request:
    return Request(method="GET", url=url, public_only=public_only)


def through(proxy: str) -> ProxyTable:
    return ProxyTable(proxy, {})


@pytest.mark.parametrize(
    ("url", "route"),
    [
        ("http://name.example", Route("http", "name.example", 80, None, False)),
        ("https://NAME.example:8443/a", Route("https", "name.example", 8443, None, False)),
        ("https://user:secret@[::1]/", Route("https", "::1", 443, None, False)),
    ],
)
def test_a_route_is_scheme_host_and_port(url: str, route: Route) -> None:
    assert find_route(get(url), DIRECT) == route


@pytest.mark.parametrize("url", ["http:///", "http://?a", "http://[::1", "http://a:99999/", "http://a:port/"])
def test_an_invalid_url_is_a_failure_to_connect(url: str) -> None:
    with pytest.raises(ConnectError):
        find_route(get(url), DIRECT)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://127.0.0.1", Proxy("http", "127.0.0.1", 80, None, None)),
        ("https://p.example:8080", Proxy("https", "p.example", 8080, None, None)),
        ("https://p.example", Proxy("https", "p.example", 443, None, None)),
        ("socks5://u:p%40ss@[::1]", Proxy("socks5", "::1", 1080, "u", "p@ss")),
        ("socks://p.example", Proxy("socks5h", "p.example", 1080, None, None)),
        ("http://:only@p.example", Proxy("http", "p.example", 80, "", "only")),
    ],
)
def test_a_proxy_url_is_parsed(url: str, proxy: Proxy) -> None:
    route = find_route(get("http://name.example/"), through(url))
    assert route.proxy == proxy
    assert "p@ss" not in repr(route)


@pytest.mark.parametrize(
    ("proxy", "url", "is_tunnelled"),
    [
        ("http://p.example", "http://name.example/", False),
        ("http://p.example", "https://name.example/", True),
        ("https://p.example", "http://name.example/", False),
        ("socks5://p.example", "http://name.example/", True),
    ],
)
def test_a_proxy_reads_requests_or_passes_bytes_on(proxy: str, url: str, is_tunnelled: bool) -> None:
    assert find_route(get(url), through(proxy)).is_tunnelled is is_tunnelled


TARGETS = {
    "http://name.example": "/",
    "http://name.example?a=/b": "/?a=/b",
    "http://name.example#b/?": "/",
    "http://name.example/a%2fb/?#c": "/a%2fb/?",
    "http://name.example//a": "//a",
    "http://u:secret@name.example:8080/a?b": "/a?b",
    "http://name.example/http://other.example/": "/http://other.example/",
}


@pytest.mark.parametrize(("url", "target"), TARGETS.items())
def test_a_target_is_the_rest_of_the_url(url: str, target: str) -> None:
    request = get(url)
    assert find_route(request, DIRECT).target(request) == target
    assert find_route(request, through("socks5://p.example")).target(request) == target


@pytest.mark.parametrize(("url", "target"), TARGETS.items())
def test_for_a_proxy_that_reads_requests_it_is_the_whole_url_without_the_password(url: str, target: str) -> None:
    request = get(url)
    port = ":8080" if ":8080" in url else ""
    assert find_route(request, through("http://p.example")).target(request) == f"http://name.example{port}{target}"


@pytest.mark.parametrize(
    ("request_", "headers"),
    [
        (get("http://u:secret@name.example:8080/"), (("Host", "name.example:8080"),)),
        (Request(method="POST", url="http://a/"), (("Host", "a"), ("Content-Length", "0"))),
        (Request(method="DELETE", url="http://a/", body=b"x"), (("Host", "a"), ("Content-Length", "1"))),
        (
            Request(method="PUT", url="http://a/", headers=(("HOST", "b"), ("content-length", "0"))),
            (("HOST", "b"), ("content-length", "0")),
        ),
    ],
)
def test_framing_comes_before_the_headers_of_the_request(
    request_: Request, headers: tuple[tuple[str, str], ...]
) -> None:
    assert find_route(request_, DIRECT).headers(request_) == headers


def test_only_a_proxy_that_reads_requests_gets_its_password_in_a_header() -> None:
    secret = ("Proxy-Authorization", "Basic dTpww6k=")
    for proxy, url, is_shown in (
        ("http://u:p%C3%A9@p.example", "http://a/", True),
        ("http://u:p%C3%A9@p.example", "https://a/", False),
        ("socks5://u:p%C3%A9@p.example", "http://a/", False),
        ("http://p.example", "http://a/", False),
    ):
        assert (secret in find_route(get(url), through(proxy)).headers(get(url))) is is_shown


@pytest.mark.parametrize("proxy", ["", "http://p.example", "socks5://p.example", "socks5h://p.example"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::ffff:10.0.0.1]", "2130706433"])
def test_a_host_that_is_evidently_not_public_has_no_route(proxy: str, host: str) -> None:
    with pytest.raises(ConnectError, match="not at a public address") as raised:
        find_route(get(f"http://{host}/?secret", public_only=True), through(proxy))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("proxy", "is_checked"),
    [("", True), ("socks5://p.example", True), ("socks5h://p.example", False), ("http://p.example", False)],
)
def test_addresses_are_checked_if_the_client_resolves_the_name(proxy: str, is_checked: bool) -> None:
    assert find_route(get("http://name.example/", public_only=True), through(proxy)).public_only is is_checked
