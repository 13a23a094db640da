"""Requests, responses, and the bodies of both."""

from __future__ import annotations

import email.parser
import email.policy
import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput, RemoteProtocolError
from modelwire.http import (
    Request,
    Response,
    content_coding,
    find_header,
    form_body,
    header_size,
    json_body,
    media_type,
    multipart_body,
    origin,
    without_query,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def get(url: str = "https://a.example/", **fields: Any) -> Request:
    given: dict[str, Any] = {"method": "GET", "url": url}
    return Request(**given | fields)


def test_the_defaults_of_a_request() -> None:
    assert get() == Request(
        method="GET",
        url="https://a.example/",
        headers=(),
        body=b"",
        timeout=None,
        repeatable=True,
        public_only=False,
    )
    assert get().silence == 60.0


@pytest.mark.parametrize("bad", ["a\rb", "a\nb", "a\r\nb: c", "a\0b", "a\x1fb", "a\x7fb", "ж", "\ud800", "\u2028"])
def test_an_invalid_header_value_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(InvalidInput) as info:
        get(headers=(("x-key", f"S3cret{bad}"),))
    assert str(info.value) == "the header 'x-key' contains a character that HTTP does not allow"


@pytest.mark.parametrize("value", ["", "a b", "a\tb", "~!@#$%^&*()_+{}[]|\\:;\"'<>,.?/`", "caf\xe9", "\x80\xff"])
def test_valid_header_values(value: str) -> None:
    assert get(headers=(("x", value),)).headers == (("x", value),)


@given(st.text(st.characters() | st.sampled_from("\r\n\0 \t:;\x7f\x85\u010a\u2028"), max_size=9))
def test_no_field_can_add_a_line_to_a_request(text: str) -> None:
    given: list[dict[str, Any]] = [
        {"method": f"GET{text}"},
        {"url": f"https://a.example/{text}"},
        {"headers": ((f"x{text}", "y"),)},
        {"headers": (("x", f"y{text}y"),)},
    ]
    for fields in given:
        try:
            request = get(**fields)
        except InvalidInput:
            continue
        (name, value), *_ = request.headers or (("x", "y"),)
        lines = [f"{request.method} {request.url} HTTP/1.1", f"{name}: {value}"]
        head = "\n".join(lines).encode("latin-1")
        assert len(head.splitlines()) == 2
        assert b"\0" not in head
        assert lines[0].count(" ") == 2
        assert lines[1].partition(": ") == (name, ": ", value)


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\r\n\0"\\'), max_size=9))
def test_no_form_field_name_can_add_a_header(text: str) -> None:
    try:
        body = multipart_body({f"a{text}": "b"}, "XX")
    except InvalidInput:
        return
    assert body.split(b"\r\n")[2:] == [b"", b"b", b"--XX--", b""]
    assert not re.search(rb"[\r\n\0]", body.split(b"\r\n")[1])


@pytest.mark.parametrize("bad", ["", "a b", "a:", "a\r\nb", "a\n", "\0", "ж", "(a)", "a/b", '"a"'])
def test_invalid_header_names(bad: str) -> None:
    with pytest.raises(InvalidInput, match="header name"):
        get(headers=((bad, "x"),))


@pytest.mark.parametrize("bad", ["", "GET /", "GET\r\n", "GE\0T", "é"])
def test_invalid_methods(bad: str) -> None:
    with pytest.raises(InvalidInput, match="method"):
        get(method=bad)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "a.example",
        "//a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "https://",
        "javascript:alert(1)",
        "https://a.example/ b",
        "https://a.example/\r\nx: y",
        "https://a.example/\n",
        "https://a.example/\x00",
        "https://ж.example/",
        "https://a.example/ж",
        "https://a.example/\x7f",
    ],
)
def test_invalid_urls(bad: str) -> None:
    with pytest.raises(InvalidInput, match="URL"):
        get(bad)


def test_a_refused_url_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as info:
        get("https://a.example/?key=S3cret\n")
    assert "S3cret" not in str(info.value)


def test_a_repr_shows_no_value() -> None:
    request = get(
        "https://user:S3cret@a.example/path?key=S3cret#S3cret", headers=(("authorization", "S3cret"),), body=b"S3cret"
    )
    assert repr(request) == "Request(GET https://a.example/path, headers=<authorization>, body=<6 bytes>)"
    assert repr(Response(200, (("set-cookie", "S3cret"),), b"S3cret")) == "Response(status=200, body=<6 bytes>)"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/p?q#f", "https://a.example/p"),
        ("https://a.example/p#f?q", "https://a.example/p"),
        ("https://a.example?q", "https://a.example"),
        ("https://user@a.example/", "https://a.example/"),
        ("https://user:pass@a.example/", "https://a.example/"),
        ("https://user:p@ss@a.example/", "https://a.example/"),
        ("https://user:p@ss:w@a.example:8443/x@y", "https://a.example:8443/x@y"),
        ("HTTPS://user@a.example/", "HTTPS://a.example/"),
        ("https://a.example/x@y", "https://a.example/x@y"),
        ("https://a.example/?next=https://user:pass@b.example/", "https://a.example/"),
        ("user:pass@nonsense", "user:pass@nonsense"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert without_query(url) == shown


def test_a_header_is_found_in_any_case_and_the_first_counts() -> None:
    headers = (("X-One", "1"), ("x-one", "2"))
    assert find_header(headers, "X-ONE") == "1"
    assert find_header(headers, "x-two") is None
    assert Response(200, headers, b"").header("x-oNe") == "1"
    assert Response(200, (), b"").header("x") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Text/HTML; charset=utf-8", "text/html"), (" application/json ", "application/json"), ("", "")],
)
def test_the_media_type(value: str, expected: str) -> None:
    assert media_type((("Content-Type", value),)) == expected
    assert media_type(()) == ""


def test_content_codings_in_several_headers_are_one_list() -> None:
    assert content_coding((("Content-Encoding", "gzip"), ("x", "y"), ("content-encoding", "br"))) == "gzip, br"
    assert content_coding((("Content-Encoding", "gzip"),)) == "gzip"
    assert content_coding((("content-type", "gzip"),)) is None


def test_the_size_of_a_head_is_names_and_values() -> None:
    assert header_size([("ab", "cde"), ("f", "")]) == 6


def test_a_response_as_text() -> None:
    assert Response(200, (), "Grüße \xff".encode() + b"\xff").text() == "Grüße \xff\ufffd"


class Shape(msgspec.Struct):
    items: list[int]


def test_a_response_as_json() -> None:
    assert Response(200, (), b'{"items": [1, 2], "more": 1}').decode(Shape) == Shape([1, 2])
    with pytest.raises(RemoteProtocolError, match=r"\$\.items\[1\]"):
        Response(200, (), b'{"items": [1, "S3cret"]}').decode(Shape)


def test_a_json_body() -> None:
    assert json_body({"text": "ж", "n": [1, None]}) == '{"text":"ж","n":[1,null]}'.encode()
    assert json_body(Shape([1])) == b'{"items":[1]}'


@given(st.dictionaries(TEXT, TEXT))
def test_a_form_is_read_back_in_its_order(fields: dict[str, str]) -> None:
    body = form_body(fields)
    assert body.isascii()
    assert parse_qsl(body.decode(), keep_blank_values=True) == list(fields.items())


def test_a_form_as_browsers_write_it() -> None:
    assert form_body({"a b": "c&d=e+f", "ж": "\r\n"}) == b"a+b=c%26d%3De%2Bf&%D0%B6=%0D%0A"


def test_a_multipart_body_byte_for_byte() -> None:
    assert multipart_body({"a": "1", "b": "ж"}, "XX") == (
        b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--XX\r\nContent-Disposition: form-data; name="b"\r\n\r\n\xd0\xb6\r\n--XX--\r\n'
    )


@given(st.dictionaries(st.from_regex(r"[A-Za-z]{1,8}", fullmatch=True), st.from_regex(r"[ -~]{0,20}", fullmatch=True)))
def test_a_multipart_body_is_read_back(fields: dict[str, str]) -> None:
    head = b"content-type: multipart/form-data; boundary=----modelwireXX\r\n\r\n"
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        head + multipart_body(fields, "----modelwireXX")
    )
    read = {part.get_param("name", header="content-disposition"): part.get_content() for part in parsed.iter_parts()}
    assert read == fields


@pytest.mark.parametrize("name", ["", 'a"b', "a\r\nb", "a\\b", "a\0", "a\x7f"])
def test_a_field_name_that_could_end_its_header_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="form field"):
        multipart_body({name: "x"}, "XX")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/x", ("https", "a.example", 443)),
        ("HTTP://A.Example", ("http", "a.example", 80)),
        ("https://a.example.:443", ("https", "a.example", 443)),
        ("http://user:pass@a.example:8080/x?y", ("http", "a.example", 8080)),
        ("http://[::1]:80/", ("http", "::1", 80)),
        ("http://a.example:0/", ("http", "a.example", 0)),
    ],
)
def test_an_origin(url: str, expected: tuple[str, str, int]) -> None:
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://a.example", "https://", "https://:80/", "https://a:port/", "https://a:70000/", "http://[/"),
        # An explicit port does not make these http(s) URLs.
        *("ftp://a.example:21/", "gopher://a.example:80/", "//a.example:80/"),
    ],
)
def test_a_url_without_origin_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        origin(url)


def test_a_url_without_origin_is_shown_without_its_secrets() -> None:
    with pytest.raises(InvalidInput) as info:
        origin("ftp://user:S3cret@a.example/?S3cret")
    assert str(info.value) == "'ftp://a.example/' is not an http(s) URL"


def test_a_long_url_without_origin_is_shortened() -> None:
    with pytest.raises(InvalidInput) as info:
        origin("x" * 5000)
    assert len(str(info.value)) < 250
