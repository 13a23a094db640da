"""Dates and Retry-After of HTTP. (`email.utils` can parse dates too, but it imports sockets and randomness.)"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
# The three forms that RFC 9110, 5.6.7, requires of every recipient: IMF-fixdate, RFC 850, asctime. The dates of cookies
# may have dashes in the first form, so it allows them.
_FORMS = (
    re.compile(r"[a-z]{3}, (?P<d>\d\d)[ -](?P<m>[a-z]{3})[ -](?P<y>\d{4}) (?P<t>\d\d:\d\d:\d\d) gmt"),
    re.compile(r"[a-z]{6,9}, (?P<d>\d\d)-(?P<m>[a-z]{3})-(?P<y>\d\d) (?P<t>\d\d:\d\d:\d\d) gmt"),
    re.compile(r"[a-z]{3} (?P<m>[a-z]{3}) (?P<d>[ \d]\d) (?P<t>\d\d:\d\d:\d\d) (?P<y>\d{4})"),
)
# Digits: a longer number of seconds counts as 10**12, which is more than any server means.
_MAX_DIGITS = 12


def parse_http_date(text: str, now: float) -> float | None:
    """The Unix time of an HTTP date, or None if `text` is not one.

    A year of two digits that would be more than fifty years after `now` is of the century before (RFC 9110, 5.6.7).
    """
    # ASCII only: \d matches the digits of every script.
    lowered = text.strip().lower()
    for form in _FORMS:
        match = form.fullmatch(lowered) if lowered.isascii() else None
        if match is not None:
            return _timestamp(match, now)
    return None


def _timestamp(match: re.Match[str], now: float) -> float | None:
    year = int(match["y"])
    hour, minute, second = (int(part) for part in match["t"].split(":"))
    try:
        if len(match["y"]) == 2:
            this_year = datetime.fromtimestamp(now, UTC).year
            year += this_year - this_year % 100
            year -= 100 if year > this_year + 50 else 0
        if second > 60:
            return None
        # Second 60 is a leap second, which Unix time does not have.
        moment = datetime(year, _MONTHS[match["m"]], int(match["d"]), hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, KeyError, OverflowError, OSError):
        return None
    return moment.timestamp() + (second == 60)


def parse_retry_after(text: str, now: float) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, 10.2.3): a number or a date; None if it is neither."""
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit():
        digits = stripped.lstrip("0") or "0"
        return float(digits) if len(digits) <= _MAX_DIGITS else 10.0**_MAX_DIGITS
    date = parse_http_date(stripped, now)
    return None if date is None else max(0.0, date - now)
