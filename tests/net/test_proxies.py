"""The proxy for a request."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from modelwire.errors import InvalidInput
from modelwire_io.net.proxies import ProxyTable

PROXY = "http://proxy.example:3128"
OTHER = "http://other.example:3128"


def proxy_for(url: str, environment: Mapping[str, str], given: str | None = None) -> str | None:
    return ProxyTable(given, environment).proxy_for(url)


# The caller's proxy.


def test_a_given_proxy_is_for_everything() -> None:
    environment = {"HTTP_PROXY": OTHER, "NO_PROXY": "*"}
    for url in ("http://example.org/", "https://example.org/", "http://127.0.0.1/", "http://localhost:8080/"):
        assert proxy_for(url, environment, PROXY) == PROXY


def test_an_empty_proxy_means_no_proxy_at_all() -> None:
    assert proxy_for("http://example.org/", {"HTTP_PROXY": OTHER}, "") is None


@pytest.mark.parametrize("given", ["", PROXY])
def test_the_environment_is_ignored_if_a_proxy_is_given(given: str) -> None:
    assert proxy_for("http://example.org/", {"ALL_PROXY": "ftp://nonsense"}, given) == (given or None)


# The environment.


def test_no_proxy_by_default() -> None:
    assert proxy_for("https://example.org/", {}) is None


@pytest.mark.parametrize(
    ("name", "http", "https"),
    [
        ("HTTP_PROXY", PROXY, None),
        ("http_proxy", PROXY, None),
        ("HTTPS_PROXY", None, PROXY),
        ("https_proxy", None, PROXY),
        ("ALL_PROXY", PROXY, PROXY),
        ("all_proxy", PROXY, PROXY),
    ],
)
def test_variables_in_either_case(name: str, http: str | None, https: str | None) -> None:
    assert proxy_for("http://example.org/", {name: PROXY}) == http
    assert proxy_for("https://example.org/", {name: PROXY}) == https
    assert proxy_for("HTTPS://example.org/", {name: PROXY}) == https


def test_the_variable_of_a_scheme_overrides_all_proxy() -> None:
    environment = {"ALL_PROXY": OTHER, "HTTPS_PROXY": PROXY}
    assert proxy_for("https://example.org/", environment) == PROXY
    assert proxy_for("http://example.org/", environment) == OTHER


@pytest.mark.parametrize("names", [("HTTP_PROXY", "http_proxy"), ("http_proxy", "HTTP_PROXY")])
def test_lower_case_overrides_upper_case(names: tuple[str, str]) -> None:
    values = {"HTTP_PROXY": OTHER, "http_proxy": PROXY}
    assert proxy_for("http://example.org/", {name: values[name] for name in names}) == PROXY


def test_an_empty_variable_means_no_proxy() -> None:
    assert proxy_for("http://example.org/", {"HTTP_PROXY": ""}) is None
    assert proxy_for("http://example.org/", {"HTTP_PROXY": OTHER, "http_proxy": ""}) is None
    assert proxy_for("http://example.org/", {"HTTP_PROXY": "", "ALL_PROXY": PROXY}) == PROXY


def test_under_cgi_http_proxy_is_ignored_because_a_client_can_set_it() -> None:
    environment = {"REQUEST_METHOD": "GET", "HTTP_PROXY": OTHER}
    assert proxy_for("http://example.org/", environment) is None
    # A header cannot become a variable in lower case, or HTTPS_PROXY.
    assert proxy_for("http://example.org/", environment | {"http_proxy": PROXY}) == PROXY
    assert proxy_for("https://example.org/", environment | {"HTTPS_PROXY": PROXY}) == PROXY


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://127.9.9.9/", "http://localhost/", "http://a.localhost./", "http://[::1]:80/"],
)
def test_loopback_needs_no_proxy(url: str) -> None:
    assert proxy_for(url, {"ALL_PROXY": PROXY}) is None


# NO_PROXY.


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("*", "http://example.org/"),
        ("example.org", "http://example.org/"),
        ("example.org", "http://EXAMPLE.org./"),
        ("EXAMPLE.ORG", "http://example.org/"),
        ("example.org.", "http://example.org/"),
        ("example.org", "http://api.example.org/"),
        (".example.org", "http://api.example.org/"),
        (".example.org", "http://example.org/"),
        ("*.example.org", "http://api.example.org/"),
        ("example.org:8080", "http://api.example.org:8080/"),
        ("example.org:80", "http://example.org/"),
        ("example.org:443", "https://example.org/"),
        ("10.0.0.1", "http://10.0.0.1/"),
        ("10.0.0.1:80", "http://10.0.0.1/"),
        ("10.0.0.0/8", "http://10.1.2.3:8080/"),
        ("10.1.2.3/8", "http://10.200.0.0/"),
        ("2001:db8::1", "http://[2001:db8::1]/"),
        ("2001:DB8:0::1", "http://[2001:db8::1]/"),
        ("[2001:db8::1]", "http://[2001:db8::1]:8080/"),
        ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080/"),
        ("2001:db8::/32", "http://[2001:db8:1::1]/"),
        ("[2001:db8::/32]", "http://[2001:db8:1::1]/"),
        (" a.example , example.org ,", "http://example.org/"),
    ],
)
def test_is_exempt(name: str, entry: str, url: str) -> None:
    assert proxy_for(url, {"ALL_PROXY": PROXY, name: entry}) is None


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("", "http://example.org/"),
        (" , ,", "http://example.org/"),
        (".", "http://example.org/"),
        (":80", "http://example.org/"),
        ("example.org", "http://notexample.org/"),
        ("example.org", "http://example.org.example.com/"),
        ("api.example.org", "http://example.org/"),
        ("example.org:8080", "http://example.org/"),
        ("example.org:8080", "https://example.org/"),
        ("org:80", "http://example.org:8080/"),
        ("10.0.0.0/8", "http://11.0.0.1/"),
        ("10.0.0.0/8", "http://[2001:db8::1]/"),
        ("10.0.0.0/8", "http://10.example.org/"),
        ("10.0.0.0/99", "http://10.0.0.1/"),
        ("2001:db8::/32", "http://[2001:db9::1]/"),
        ("2001:db8::/32", "http://10.0.0.1/"),
        ("[2001:db8::1]:8080", "http://[2001:db8::1]/"),
        ("[2001:db8::1", "http://[2001:db8::2]/"),
    ],
)
def test_is_not_exempt(entry: str, url: str) -> None:
    assert proxy_for(url, {"ALL_PROXY": PROXY, "NO_PROXY": entry}) == PROXY


# How a proxy may be written.


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        ("HTTP://proxy.example", "http://proxy.example"),
        ("https://user:p%40ss@proxy.example:3128/", "https://user:p%40ss@proxy.example:3128/"),
        ("proxy.example:3128", "http://proxy.example:3128"),
        ("proxy.example", "http://proxy.example"),
        ("user:secret@proxy.example:3128", "http://user:secret@proxy.example:3128"),
        ("[::1]:3128", "http://[::1]:3128"),
        ("socks://proxy.example:1080", "socks5h://proxy.example:1080"),
        ("SOCKS://proxy.example:1080", "socks5h://proxy.example:1080"),
        ("socks5://proxy.example:1080", "socks5://proxy.example:1080"),
        ("socks5h://proxy.example:1080", "socks5h://proxy.example:1080"),
    ],
)
def test_ways_to_write_a_proxy(written: str, meant: str) -> None:
    assert proxy_for("http://example.org/", {}, written) == meant
    assert proxy_for("http://example.org/", {"HTTP_PROXY": written}) == meant


BAD = [
    "ftp://proxy.example",
    "socks4://proxy.example",
    "http://",
    "http://:3128",
    "http://proxy.example:port",
    "http://proxy.example:99999",
    "http://[::1",
    "http:// proxy.example",
    "http://proxy example:3128",
    "http://proxy.example\r\nx:3128",
    "://",
    " ",
]


@pytest.mark.parametrize("url", BAD)
def test_a_proxy_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(
        InvalidInput, match=r"^the proxy is '.*', which is not a proxy URL: write http://HOST:PORT or socks5"
    ):
        ProxyTable(url, {})


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_bad_proxy_of_the_environment_is_named(name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{name} is 'ftp://proxy\.example', which is not a proxy URL"):
        ProxyTable(None, {name.lower(): "ftp://proxy.example"})


@pytest.mark.parametrize("password", ["hunter2", "hunt@er2", "hunt/er2", "hunt?er2", "hunt#er2", "hunt:er2"])
@pytest.mark.parametrize("start", ["ftp://", "http://", ""])
def test_a_refused_proxy_does_not_show_its_password(start: str, password: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        ProxyTable(f"{start}user:{password}@proxy.example:port", {})
    assert "hunt" not in str(raised.value)
    assert "er2" not in str(raised.value)
    assert "proxy.example" in str(raised.value)
