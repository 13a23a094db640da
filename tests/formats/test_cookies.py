"""A client's cookie store, by RFC 6265."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire.formats.cookies import (
    MOST_COOKIES,
    Cookie,
    Cookies,
    cookie_header,
    parse_cookie,
    site_cookies,
    store_cookies,
)

NOW = 1_700_000_000.0
URL = "https://www.site.example/auth/login?x"


def stored(*values: str, url: str = URL, cookies: Cookies = (), now: float = NOW) -> Cookies:
    headers = tuple(("Set-Cookie" if index % 2 else "set-cookie", value) for index, value in enumerate(values))
    return store_cookies(cookies, url, (("set-cookie2", "other=1; Path=/"), *headers), now)


def sent(cookies: Cookies, url: str, now: float = NOW) -> str:
    """The value of the Cookie header, or an empty string."""
    headers = cookie_header(cookies, url, now)
    assert len(headers) <= 1
    return headers[0][1] if headers else ""


def test_a_plain_cookie() -> None:
    assert parse_cookie("a=1", URL, NOW) == Cookie(
        name="a", value="1", domain="www.site.example", host_only=True, path="/auth", secure=False, expires=None
    )


def test_a_cookie_with_everything() -> None:
    text = " a = b=c ; Domain=.Site.Example; PATH=/x; Secure; HttpOnly; SameSite=Lax; Max-Age=60 "
    assert parse_cookie(text, URL, NOW) == Cookie(
        name="a", value="b=c", domain="site.example", host_only=False, path="/x", secure=True, expires=NOW + 60
    )


@pytest.mark.parametrize(
    "text",
    ["", "a", "=b", ";a=b", "a b=c", "a\x01=b", "a=b\x01", "a=ж", "ж=a", "a=" + "x" * 4095, "a=b\x7f"],
)
def test_an_invalid_cookie_is_ignored(text: str) -> None:
    assert parse_cookie(text, URL, NOW) is None
    assert stored(text) == ()


def test_the_longest_cookie() -> None:
    assert parse_cookie("a=" + "x" * 4094, URL, NOW) is not None


def test_a_cookie_is_for_one_host_and_the_session_by_default() -> None:
    cookie = Cookie(name="a", value="1", domain="site.example")
    assert sent((cookie,), "http://site.example/any/path", NOW * 2) == "a=1"
    assert sent((cookie,), "http://www.site.example/") == ""


def test_an_empty_value_is_a_value() -> None:
    assert sent(stored("a=; Path=/"), URL) == "a="


def test_quotes_are_part_of_a_value() -> None:
    assert sent(stored('a="b c"; Path=/'), URL) == 'a="b c"'


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://h.example", "/"),
        ("https://h.example/", "/"),
        ("https://h.example/a", "/"),
        ("https://h.example/a/", "/a"),
        ("https://h.example/a/b", "/a"),
        ("https://h.example/a/b?c/d", "/a"),
    ],
)
def test_the_default_path(url: str, path: str) -> None:
    for text in ("x=1", "x=1; Path", "x=1; Path=", "x=1; Path=relative", "x=1; Path=/\udcff", "x=1; Path=/a\x01"):
        cookie = parse_cookie(text, url, NOW)
        assert cookie is not None
        assert cookie.path == path


@pytest.mark.parametrize(
    ("path", "covered", "others"),
    [
        ("/", ["/", "/a", "/a/b"], []),
        ("/a", ["/a", "/a/", "/a/b"], ["/", "/ab", "/A"]),
        ("/a/", ["/a/", "/a/b"], ["/", "/a", "/ab"]),
    ],
)
def test_which_paths_a_cookie_goes_to(path: str, covered: list[str], others: list[str]) -> None:
    cookies = stored(f"x=1; Path={path}")
    assert {sent(cookies, f"https://www.site.example{target}") for target in covered} == {"x=1"}
    assert {sent(cookies, f"https://www.site.example{target}") for target in others} <= {""}


def test_a_cookie_without_a_domain_goes_to_its_host_alone() -> None:
    cookies = stored("x=1; Path=/")
    assert sent(cookies, "https://www.site.example/") == "x=1"
    assert sent(cookies, "https://WWW.Site.Example/") == "x=1"
    assert sent(cookies, "https://site.example/") == ""
    assert sent(cookies, "https://a.www.site.example/") == ""


def test_a_cookie_with_a_domain_goes_to_all_below_it() -> None:
    cookies = stored("x=1; Path=/; Domain=site.example")
    for host in ("site.example", "www.site.example", "a.b.site.example"):
        assert sent(cookies, f"https://{host}/") == "x=1"
    for host in ("evilsite.example", "example", "site.example.evil"):
        assert sent(cookies, f"https://{host}/") == ""


@pytest.mark.parametrize(
    ("url", "domain", "is_taken"),
    [
        (URL, "www.site.example", True),
        (URL, "site.example", True),
        (URL, "example", False),
        (URL, ".example", False),
        (URL, "evil.example", False),
        (URL, "a.www.site.example", False),
        (URL, "ite.example", False),
        ("https://localhost/", "localhost", True),
        ("http://127.0.0.1/", "127.0.0.1", True),
        ("http://127.0.0.1/", "0.0.1", False),
    ],
)
def test_the_domains_for_which_a_host_may_set_cookies(url: str, domain: str, is_taken: bool) -> None:
    assert (parse_cookie(f"x=1; Domain={domain}", url, NOW) is not None) == is_taken


def test_an_address_has_no_subdomains() -> None:
    cookie = Cookie(name="x", value="1", domain="0.0.1", host_only=False)
    assert sent((cookie,), "http://127.0.0.1/") == ""


def test_a_secure_cookie_is_sent_over_https_only() -> None:
    cookies = stored("x=1; Path=/; Secure")
    assert sent(cookies, "https://www.site.example/") == "x=1"
    assert sent(cookies, "http://www.site.example/") == ""
    assert stored("x=1; Secure", url="http://www.site.example/") == ()


def test_expiry() -> None:
    cookies = stored("x=1; Path=/; Max-Age=60")
    assert sent(cookies, URL, NOW + 59) == "x=1"
    assert sent(cookies, URL, NOW + 60) == ""
    assert stored(cookies=cookies, now=NOW + 60) == ()
    (cookie,) = stored("x=1; Expires=Wed, 15 Nov 2023 00:00:00 GMT; Path=/")
    assert cookie.expires == 1_700_006_400
    assert stored("x=1; Expires=Wed, 15-Nov-2023 00:00:00 GMT; Path=/") == (cookie,)


def test_max_age_takes_precedence_over_expires() -> None:
    (cookie,) = stored("x=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    assert cookie.expires == NOW + 60


@pytest.mark.parametrize("age", ["", "x", "1.5", "+5", "9" * 13])
def test_an_invalid_max_age_makes_a_session_cookie(age: str) -> None:
    (cookie,) = stored(f"x=1; Max-Age={age}; Expires=whenever")
    assert cookie.expires is None


@pytest.mark.parametrize("end", ["Max-Age=0", "Max-Age=-5", "Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
def test_an_expired_cookie_removes_the_stored_one(end: str) -> None:
    cookies = stored("x=1; Path=/", "y=2; Path=/")
    assert sent(stored(f"x=; Path=/; {end}", cookies=cookies), URL) == "y=2"


def test_a_cookie_replaces_the_one_of_its_name_domain_and_path() -> None:
    cookies = stored("x=1; Path=/", "x=2; Path=/auth", "x=3; Path=/; Domain=site.example", "x=4; Path=/")
    assert {(cookie.path, cookie.host_only, cookie.value) for cookie in cookies} == {
        ("/auth", True, "2"),
        ("/", False, "3"),
        ("/", True, "4"),
    }


def test_longer_paths_come_first() -> None:
    cookies = stored("a=1; Path=/", "b=2; Path=/auth", "c=3; Path=/")
    assert sent(cookies, URL) == "b=2; a=1; c=3"


def test_there_are_at_most_fifty_and_the_oldest_are_dropped() -> None:
    cookies: Cookies = ()
    for i in range(60):
        cookies = stored(f"c{i}=x; Path=/", cookies=cookies)
    assert [cookie.name for cookie in cookies] == [f"c{i}" for i in range(10, 60)]
    # One that was set again is the newest.
    cookies = stored("c10=y; Path=/", "c60=x; Path=/", cookies=cookies)
    assert [cookie.name for cookie in cookies] == [*(f"c{i}" for i in range(12, 60)), "c10", "c60"]


def test_a_cookie_shows_no_value_and_survives_json() -> None:
    (cookie,) = stored("x=S3cret; Path=/; Max-Age=60")
    assert repr(cookie) == "Cookie(x, domain='www.site.example', path='/')"
    assert msgspec.json.decode(msgspec.json.encode(cookie), type=Cookie) == cookie


@given(st.lists(st.text(max_size=60) | st.from_regex(r"[a-c]=[a-z]{0,3}(; (Path=/[a-z/]{0,4}|Max-Age=-?[0-9]{1,2}))*")))
def test_the_header_is_valid_whatever_a_server_sets(values: list[str]) -> None:
    header = sent(stored(*values), URL)
    assert header.isascii()
    assert header.isprintable() or header == ""
    assert len(stored(*values)) <= 50


# Cookies of another client.


def foreign(name: str = "a", value: str = "1", **given: object) -> Cookie:
    return msgspec.convert({"name": name, "value": value, "domain": "www.site.example"} | given, Cookie)


@pytest.mark.parametrize(
    "cookie",
    [
        foreign(),
        foreign(value=""),
        foreign(domain="site.example", host_only=False),
        foreign(path="/elsewhere", secure=True),
        foreign(expires=NOW + 1),
    ],
)
def test_a_cookie_of_the_site(cookie: Cookie) -> None:
    assert site_cookies([cookie], URL, NOW) == (cookie,)


@pytest.mark.parametrize(
    "cookie",
    [
        foreign(domain="site.example"),
        foreign(domain="other.site.example", host_only=False),
        foreign(domain="a.www.site.example"),
        foreign(domain=""),
        foreign(domain="", host_only=False),
        foreign(expires=NOW),
        foreign(name=""),
        foreign(name="a b"),
        foreign(value="1\r\nx: y"),
        foreign(value="1 "),
        foreign(value=" "),
        foreign(value="ж"),
        foreign(value="1" * 4096),
        foreign(path="/\n"),
    ],
)
def test_a_cookie_that_is_not_of_the_site_or_cannot_be_sent(cookie: Cookie) -> None:
    assert site_cookies([cookie], URL, NOW) == ()


def test_only_the_newest_fifty_are_returned() -> None:
    cookies = [foreign(name=f"a{number}") for number in range(MOST_COOKIES + 5)]
    assert site_cookies(cookies, URL, NOW) == tuple(cookies[5:])


def test_an_invalid_url_is_refused() -> None:
    # With `InvalidInput`: a bare ValueError would escape from a flow's `handle`.
    with pytest.raises(InvalidInput, match="not a valid URL"):
        cookie_header((), "http://[::1", NOW)
