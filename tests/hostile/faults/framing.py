"""Heads and framings that are false, contradictory or invalid."""

from __future__ import annotations

from raw_server import chunk, response

from .client import Ask
from .scenario import Scenario, ask, chat, order
from .server import fin, say, silence, then
from .sites import ANSWER, CROMICLE, PICTURE_PATH, SUBMIT

TEXT = ANSWER.encode()
CHUNKS = response("Transfer-Encoding: chunked")
SIZE = f"Content-Length: {len(TEXT)}"
# Endings of a body whose framing is ambiguous: it may be refused, but not misread.
NO = "protocol network"
MAYBE = "answer protocol network"


def head(name: str, lines: bytes, kinds: str = "protocol") -> Scenario:
    """A response with these header lines."""
    return ask(name, then(b"HTTP/1.1 200 OK\r\n" + lines + SIZE.encode() + b"\r\n\r\n" + TEXT, fin), kinds)


def status_line(name: str, line: bytes, kinds: str = "protocol") -> Scenario:
    """A response with this status line."""
    return ask(name, then(line + f"\r\n{SIZE}\r\n\r\n".encode() + TEXT, fin), kinds)


def length(name: str, *values: str, kinds: str = "protocol") -> Scenario:
    """A response with these values of Content-Length."""
    return ask(name, then(response(*(f"Content-Length: {value}" for value in values), body=TEXT), fin), kinds)


def broken(name: str, data: bytes, kinds: str = "protocol") -> Scenario:
    """Invalid chunks after a valid one, whose text may be shown."""
    return ask(name, then(CHUNKS + chunk(TEXT[:5]) + data, fin), kinds)


def transfer(name: str, *codings: str, kinds: str = "protocol") -> Scenario:
    """A response in these transfer codings."""
    body = chunk(TEXT) + chunk(b"")
    return ask(name, then(response(*(f"Transfer-Encoding: {coding}" for coding in codings), body=body), fin), kinds)


def content(name: str, coding: str, kinds: str = "protocol") -> Scenario:
    """A response in a content coding."""
    return ask(name, say(TEXT, f"Content-Encoding: {coding}"), kinds)


SCENARIOS = [
    # Lengths.
    ask("a length that is too short", then(response("Content-Length: 5", body=TEXT), fin), MAYBE, answer=ANSWER[:5]),
    length("a length that is too long", "99", kinds="network"),
    ask(
        "a length that is too long, and silence",
        then(response("Content-Length: 99", body=TEXT), silence),
        "timeout",
        Ask(silence=0.05),
    ),
    length("two lengths", "16", "5"),
    length("two lengths in one line", "16, 5"),
    length("one length twice", "16", "16", kinds=MAYBE),
    length("a negative length", "-16"),
    length("a length with a sign", "+16"),
    length("a length in hexadecimal", "0x10"),
    length("a length with a fraction", "16.0"),
    length("a length with a comma at its end", "16,", kinds=MAYBE),
    length("a length of a digit that is not ASCII", "\xb2"),
    length("an empty length", ""),
    length("a length with blanks inside", "1 6"),
    length("a length that no computer can hold", "9" * 20, kinds=NO),
    length("a length of a thousand digits", "9" * 1000, kinds=NO),
    length("a length just over 64 bits", str(2**64 + len(TEXT)), kinds=NO),
    ask(
        "a length and chunks",
        then(response("Transfer-Encoding: chunked", SIZE, body=chunk(TEXT) + chunk(b"")), fin),
        MAYBE,
    ),
    # Chunks.
    broken("a chunk without a size", b"\r\nabc\r\n"),
    broken("a chunk whose size is a word", b"xyz\r\nabc\r\n"),
    broken("a chunk of negative size", b"-5\r\nabcde\r\n"),
    broken("a chunk with a sign", b"+5\r\nabcde\r\n"),
    broken("a chunk size in Python's hexadecimal", b"0x5\r\nabcde\r\n"),
    broken("a chunk size with an underscore", b"0_b\r\nupon a time\r\n"),
    broken("a chunk size after a blank", b" 5\r\nabcde\r\n"),
    broken("a chunk of sixteen digits", b"f" * 16 + b"\r\nupon a", "network"),
    broken("a chunk of twenty digits", b"f" * 20 + b"\r\nupon a", "network protocol"),
    broken("a chunk of a thousand digits", b"f" * 1000 + b"\r\nabc"),
    broken("a chunk size of a thousand zeros", b"0" * 1000 + b"5\r\nupon \r\n0\r\n\r\n"),
    broken("a chunk without a line end after it", b"5\r\nupon 1\r\n \r\n"),
    broken("a chunk with a line feed alone after it", b"5\r\nupon \n0\r\n\r\n", NO),
    broken("a chunk with a carriage return alone after it", b"5\r\nupon \r0\r\n\r\n"),
    broken("a chunk size with a line feed alone", b"b\nupon a time\r\n0\r\n\r\n", "answer protocol network"),
    broken("a chunk that is longer than it said", b"3\r\nupon \r\n0\r\n\r\n"),
    broken("a last chunk with data", b"0\r\nabc\r\n\r\n", NO),
    broken("invalid trailers", b"0\r\nno colon\r\n\r\n", NO),
    # Transfer codings.
    transfer("an unknown transfer coding", "zip"),
    transfer("a compressed transfer", "gzip, chunked"),
    transfer("a transfer that is chunked twice", "chunked, chunked"),
    transfer("chunked in two headers", "chunked", "chunked"),
    transfer("a transfer coding that is identity", "identity"),
    transfer("almost chunked", "xchunked"),
    transfer("chunked with a parameter", "chunked;q=1", kinds=NO),
    transfer("chunked after a control character", "\x0bchunked"),
    transfer("chunked in capitals", "CHUNKED", kinds="answer"),
    # Content codings.
    content("brotli, which was not asked for", "br"),
    content("zstd, which was not asked for", "zstd"),
    content("compress, which was not asked for", "compress"),
    content("an unknown content coding", "x-secret"),
    content("two content codings", "gzip, deflate"),
    content("an empty content coding", "", kinds="answer"),
    content("identity", "Identity", kinds="answer"),
    ask("two headers of content codings", say(TEXT, "Content-Encoding: identity", "Content-Encoding: br"), "protocol"),
    # Status lines.
    status_line("another protocol", b"SSH-2.0-OpenSSH_9.9", NO),
    status_line("HTTP/2", b"HTTP/2.0 200 OK", "answer protocol"),
    status_line("HTTP/0.9", b"<html>hello</html>", NO),
    status_line("a status of two digits", b"HTTP/1.1 20 OK"),
    status_line("a status of four digits", b"HTTP/1.1 2000 OK"),
    status_line("a status that is not a number", b"HTTP/1.1 OK OK"),
    status_line("status 0", b"HTTP/1.1 000 OK"),
    status_line("status 999", b"HTTP/1.1 999 OK", "protocol status"),
    status_line(
        "101 Switching Protocols, unasked",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade",
        NO,
    ),
    status_line("no reason", b"HTTP/1.1 200", "answer"),
    status_line("a reason with a terminal's commands", b"HTTP/1.1 200 \x1b[2J", "answer protocol"),
    status_line("blank lines before the status", b"\r\n\r\nHTTP/1.1 200 OK", "answer protocol network"),
    # Heads.
    head("a header without a colon", b"no colon here\r\n"),
    head("a header without a name", b": value\r\n"),
    head("a header with a blank before its colon", b"X-A : b\r\n", "answer protocol"),
    head("a header with a zero byte", b"X-A: \0\r\n", "answer protocol"),
    head("a header with a carriage return inside", b"X-A: b\rX-B: c\r\n", "answer protocol"),
    head("a header on two lines", b"X-A: b\r\n c\r\n", "answer protocol"),
    head("a header of bytes that are no UTF-8", b"X-A: \xff\xfe\r\n", "answer"),
    head("a head that is random", bytes(range(128, 256)) + b"\r\n"),
    chat(
        "cromicle",
        "two lengths",
        {CROMICLE: response("Content-Length: 16", "Content-Length: 3", body=TEXT)},
        "protocol",
    ),
    order("the order is answered with broken chunks", {SUBMIT: CHUNKS + b"zz\r\n"}, "in_doubt"),
    order("the image comes in an unknown coding", {PICTURE_PATH: say("", "Content-Encoding: br")}, "protocol"),
]
