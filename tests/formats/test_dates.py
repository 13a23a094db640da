"""The dates of HTTP, compared with the standard library."""

from __future__ import annotations

import email.utils
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.formats.dates import parse_http_date, parse_retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
MOMENTS = st.integers(0, 4_102_444_800)  # to the year 2100


@pytest.mark.parametrize(
    "text",
    [
        # The three forms of RFC 9110, 5.6.7, in its own examples.
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        # The form of cookies.
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "  sun, 06 NOV 1994 08:49:37 gmt ",
    ],
)
def test_the_forms(text: str) -> None:
    assert parse_http_date(text, NOW) == 784_111_777


def test_every_month() -> None:
    for month in range(1, 13):
        moment = datetime(2023, month, 15, tzinfo=UTC).timestamp()
        assert parse_http_date(email.utils.formatdate(moment, usegmt=True), NOW) == moment


@given(MOMENTS)
def test_any_moment_in_each_form(moment: int) -> None:
    assert parse_http_date(email.utils.formatdate(moment, usegmt=True), NOW) == moment
    assert parse_http_date(time.asctime(time.gmtime(moment)), NOW) == moment


@given(MOMENTS, MOMENTS)
def test_a_year_of_two_digits_is_one_of_this_century_or_the_last_but_not_far_ahead(moment: int, now: int) -> None:
    date, this_year = datetime.fromtimestamp(moment, UTC), datetime.fromtimestamp(now, UTC).year
    parsed = parse_http_date(date.strftime("%A, %d-%b-%y %H:%M:%S GMT"), now)
    if parsed is None:
        assert (date.month, date.day) == (2, 29), "not every year has one"
        return
    read = datetime.fromtimestamp(parsed, UTC)
    assert this_year - 100 < read.year <= this_year + 50
    assert read.year % 100 == date.year % 100
    assert read.timetuple()[1:6] == date.timetuple()[1:6]


@pytest.mark.parametrize(
    ("text", "now", "year"),
    [
        ("Friday, 01-Jan-73 00:00:00 GMT", NOW, 2073),
        ("Friday, 01-Jan-74 00:00:00 GMT", NOW, 1974),
        ("Friday, 01-Jan-23 00:00:00 GMT", NOW, 2023),
        ("Friday, 01-Jan-99 00:00:00 GMT", NOW, 1999),
        ("Friday, 01-Jan-00 00:00:00 GMT", NOW, 2000),
    ],
)
def test_years_of_two_digits(text: str, now: float, year: int) -> None:
    assert parse_http_date(text, now) == datetime(year, 1, 1, tzinfo=UTC).timestamp()


def test_a_leap_second() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW) == parse_http_date(
        "Sun, 01 Jan 2017 00:00:00 GMT", NOW
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "0",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nox 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 1994 08:49:99 GMT",
        "Sun, 0\u0666 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT GMT",
        "Monday, 29-Feb-23 00:00:00 GMT",
    ],
)
def test_other_text_is_not_a_date(text: str) -> None:
    assert parse_http_date(text, NOW) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_http_date(text, NOW)
    parse_retry_after(text, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 120 ", 120),
        ("007", 7),
        ("0000000000000000007", 7),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0),
        ("9" * 12, 999_999_999_999),
        ("9" * 13, 1e12),
        ("9" * 5000, 1e12),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    assert parse_retry_after(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "-5", "+5", "1.5", "5s", "\u0665", "soon", "1e3"])
def test_an_invalid_retry_after(text: str) -> None:
    assert parse_retry_after(text, NOW) is None
