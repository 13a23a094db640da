"""JSON decoding: for any data there is one kind of error, and its message contains none of the data."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.errors import RemoteProtocolError
from modelwire.json import JsonValue, decode, describe


class Shape(msgspec.Struct):
    name: str
    parts: list[JsonValue] = []


class Loose(msgspec.Struct):
    anything: JsonValue = None


def test_a_value_of_the_type() -> None:
    assert decode(b'{"name": "x", "parts": [1, {}]}', Shape) == Shape("x", [1, {}])
    assert decode('{"name": "ж"}', Shape) == Shape("ж")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"name": 5}', "the JSON does not have the expected shape: Expected `str`, got `int` - at `$.name`"),
        (b"{}", "the JSON does not have the expected shape: Object missing required field `name`"),
        (b"[]", "the JSON does not have the expected shape: Expected `object`, got `array`"),
        (b"", "not JSON: an empty body"),
        (b" \n", "not JSON: an empty body"),
        (b"<!DOCTYPE html><p>", "not JSON: an HTML page (a login, captcha or maintenance page?)"),
        (b" <HTML>", "not JSON: an HTML page (a login, captcha or maintenance page?)"),
        (b"<?xml version='1.0'?>", "not JSON: XML or HTML"),
        (b"S3cret", "not JSON: 6 bytes that do not parse"),
        ("S3crét", "not JSON: 6 characters that do not parse"),
        ("", "not JSON: an empty body"),
        (b'{"name": "\xff"}', "not JSON: 13 bytes that do not parse"),
        (b'{"name": "\\ud800"}', "not JSON: 18 bytes that do not parse"),
        ('{"name": "\ud800"}', "not JSON: 13 characters that do not parse"),
        (b'{"name": "x"', "not JSON: 12 bytes that do not parse"),
        (b'{"name": "x"} x', "not JSON: 15 bytes that do not parse"),
        (b'{"name": "x", "parts": [NaN]}', "not JSON: 29 bytes that do not parse"),
        (b'{"name": "x", "parts": ' + b"[" * 100_000, "the JSON is nested too deeply"),
    ],
)
def test_other_data_raises(data: bytes | str, message: str) -> None:
    with pytest.raises(RemoteProtocolError) as info:
        decode(data, Shape)
    assert str(info.value) == message


class Up(msgspec.Struct, tag=True): ...


class Down(msgspec.Struct, tag=True): ...


class Moved(msgspec.Struct):
    way: Up | Down


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    status: Literal["done", "failed"] = "done"
    number: Literal[1, 2] = 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"status": "S3cret\\u001b[2J"}', "Invalid enum value - at `$.status`"),
        (b'{"status": "\' - at `$.S3cret`"}', "Invalid enum value - at `$.status`"),
        (b'{"number": 3}', "Invalid enum value - at `$.number`"),
        (b'{"S3cret\\n": 1}', "Object contains unknown field"),
    ],
)
def test_no_data_is_in_the_message(data: bytes, message: str) -> None:
    with pytest.raises(RemoteProtocolError) as info:
        decode(data, Strict)
    assert str(info.value) == f"the JSON does not have the expected shape: {message}"


@pytest.mark.parametrize("kind", ["S3cret", "a`b\n"])
def test_no_data_is_in_the_message_if_the_type_of_a_union_is_wrong(kind: str) -> None:
    with pytest.raises(RemoteProtocolError) as info:
        decode(msgspec.json.encode({"way": {"type": kind}}), Moved)
    assert str(info.value) == "the JSON does not have the expected shape: Invalid value - at `$.way.type`"


@given(st.binary() | st.text())
def test_nothing_else_is_ever_raised(data: bytes | str) -> None:
    for shape in (Shape, Loose):
        try:
            assert isinstance(decode(data, shape), shape)
        except RemoteProtocolError:
            pass


@pytest.mark.parametrize("number", ["9" * 400, "1e400", "-1e400", "1" + "0" * 5000, "0." + "1" * 5000])
def test_huge_numbers(number: str) -> None:
    try:
        decode(f'{{"anything": {number}}}', Loose)
    except RemoteProtocolError:
        pass


def test_a_description_reads_only_the_beginning() -> None:
    assert describe(b" " * 1000) == "an empty body"
    assert describe(b"x" * 10**6) == "1000000 bytes that do not parse"
