from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator_requests import form_of, multipart_of
from modelwire.emulators.parts.forms import MAX_FIELDS, read_multipart, read_pairs, read_urlencoded
from modelwire.emulators.parts.responses import HttpRefusal

TYPE = "multipart/form-data; boundary=limit"
texts = st.text(st.characters(exclude_categories=["Cs"]))
names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), min_size=1)


@given(st.dictionaries(texts.filter(bool), texts, max_size=9))
def test_an_encoded_form_is_read_back(fields: dict[str, str]) -> None:
    assert read_urlencoded(form_of(fields)) == fields


@given(st.dictionaries(names, texts.filter(lambda text: "--limit" not in text), min_size=1, max_size=9))
def test_a_multipart_form_is_read_back(fields: dict[str, str]) -> None:
    assert read_multipart(multipart_of(fields), TYPE) == fields


def test_pairs_stay_in_order_and_may_be_empty() -> None:
    assert read_pairs("b=1&a&&c=%C3%A9+x=y", "the query") == [("b", "1"), ("a", ""), ("c", "é x=y")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"a=%", "'%'"),
        (b"a=%f", "'%'"),
        (b"%zz=1", "'%'"),
        (b"a=%ff", "not UTF-8"),
        (b"a=\xff", "not UTF-8"),
        (b"a=1&a=2", "the field 'a' twice"),
        (b"&" * MAX_FIELDS, "more than 100 fields"),
    ],
)
def test_a_form_that_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(HttpRefusal, match=words) as caught:
        read_urlencoded(body)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=limit",
        'multipart/form-data; Boundary="limit"',
        "multipart/form-data; charset=utf-8; boundary=limit; x=y",
    ],
)
def test_boundaries_as_http_libraries_write_them(content_type: str) -> None:
    assert read_multipart(multipart_of({"a": "b"}), content_type) == {"a": "b"}


@pytest.mark.parametrize("content_type", ["multipart/form-data", "boundary=limit", 'x; boundary=""', "x; boundary=é"])
def test_a_type_without_a_boundary(content_type: str) -> None:
    with pytest.raises(HttpRefusal, match="names no boundary"):
        read_multipart(multipart_of({"a": "b"}), content_type)


def test_parts_as_http_libraries_write_them() -> None:
    body = (
        b"a preamble\r\n--limit\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b'content-disposition: Form-Data; filename="x"; name="a"\r\nContent-Length: 1\r\n\r\n1\r\n'
        b"--limit--\r\nan epilogue"
    )
    assert read_multipart(body, TYPE) == {"a": "1"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "does not end with its closing boundary"),
        (b"--limit\r\n", "does not end with its closing boundary"),
        (b'--limit\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', "does not end with its closing boundary"),
        (b"--limit\r\n\r\n1\r\n--limit--", "no Content-Disposition"),
        (b"--limit\r\nContent-Disposition: form-data\r\n\r\n1\r\n--limit--", "no Content-Disposition"),
        (b'--limit\r\nContent-Disposition: form-data; filename="a"\r\n\r\n1\r\n--limit--', "no Content-Disposition"),
        (b'--limit\r\nContent-Disposition: form-data; name="a"\r\n--limit--', "no Content-Disposition"),
        (b'--limit\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n--limit--', "the name of a form field"),
        (b'--limit\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--limit--', "'a' is not UTF-8"),
        (b"\r\n--limit" * 101, "more than 100 fields"),
    ],
)
def test_a_multipart_form_that_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(HttpRefusal, match=words):
        read_multipart(body, TYPE)


def test_a_multipart_form_with_a_field_twice() -> None:
    with pytest.raises(HttpRefusal, match="the field 'a' twice"):
        read_multipart(multipart_of({"a": "1"})[: -len("--limit--\r\n")] + multipart_of({"a": "2"}), TYPE)
