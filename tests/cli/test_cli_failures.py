"""Failures of providers: one line each, the exit code 1, and advice if there is any."""

from __future__ import annotations

import pytest

from command_line import Inside, Result, files_in
from modelwire_io.emulation import EmulatorServer
from raw_server import Connection, RawServer, chunk, refusing_url, response


def fails(result: Result, *lines: str) -> None:
    """Assert the exit code 1, an empty stdout, and lines on stderr that begin like these."""
    assert (result.code, result.out) == (1, "")
    assert len(result.notes) == len(lines), result.err
    for note, line in zip(result.notes, lines, strict=True):
        assert note.startswith(line)


def test_a_missing_server_is_one_line_and_advice(inside: Inside) -> None:
    with refusing_url() as url:
        result = inside.run("chat", "--base-url", url, "hi")
    fails(result, f"modelwire: could not connect to {url}/chat: ", f"Does a server listen at {url}? To try it with ")
    assert files_in(inside.home.path) == []


def test_a_service_that_is_known_to_be_gone_is_named(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_url() as url:
        # The proxy refuses, so that nothing leaves this machine.
        gone = inside.run("chat", "--proxy", url, "hi")
        assert inside.run("login", "hailuo", "--token-stdin", typed=b"T-12345678").code == 0
        unknown = inside.run("chat", "-m", "hailuo", "--proxy", url, "hi")
    fails(gone, "modelwire: ", "Cromicle: The service is gone; ")
    fails(
        unknown,
        "modelwire: ",
        "It is not known whether Hailuo AI is still in service. To try it with the emulator: --emulate",
    )


def test_a_missing_login_is_advised(inside: Inside, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    result = inside.run("chat", "-m", "hailuo", "--base-url", url, "hi")
    fails(
        result,
        f"Hailuo AI requires a login: {url}",
        "modelwire: Hailuo AI answers only after a login",
        f"To log in: modelwire login hailuo --base-url {url}. To try it with the emulator: --emulate",
    )
    fails(
        inside.run("image", "a cat"),
        "modelwire: ARTA needs an API key of your own",
        "To store the api key: modelwire login arta, or set ARTA_API_KEY. To try it with the emulator: --emulate",
    )


PAGE = b"<!doctype html><title>Just a\nmoment...</title><body>checking your browser"
HTML = response("Content-Type: text/html", f"Content-Length: {len(PAGE)}", body=PAGE)
BROKEN = response(f"Content-Length: {len(PAGE)}", status="500 Oops", body=PAGE)
NOT_FOUND = response("Content-Length: 0", status="404 Not Found")
EMPTY = response("Content-Length: 0")


@pytest.mark.parametrize(
    ("provider", "sent", "words"),
    [
        ("fakegpt", HTML, "/api/loads"),
        ("cromicle", BROKEN, "/chat answered with status 500: a page titled 'Just a moment...'"),
        ("cromicle", NOT_FOUND, "/chat answered with status 404"),
        ("cromicle", EMPTY, "no valid response: the answer is empty"),
    ],
)
def test_an_invalid_response_is_one_line(inside: Inside, provider: str, sent: bytes, words: str) -> None:
    def respond_to_all(connection: Connection) -> None:
        while True:
            connection.respond(sent)

    with RawServer(*[respond_to_all] * 3) as server:
        result = inside.run("chat", "-m", provider, "--base-url", server.url, "hi")
    assert (result.code, result.out, len(result.notes)) == (1, "", 1)
    assert result.err.startswith("modelwire: ")
    if sent is HTML:
        assert "HTML" in result.err or "JSON" in result.err
    else:
        assert words in result.err


def test_a_refused_token_is_never_shown_even_in_a_trace(inside: Inside, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    inside.run("login", "hailuo", "--base-url", url, "--token-stdin", typed=b"T-not-the-right-one")
    plain = inside.run("chat", "-m", "hailuo", "--base-url", url, "hi")
    assert "Traceback" not in plain.err
    for words in (("--debug", "chat"), ("chat", "--debug")):
        result = inside.run(*words, "-m", "hailuo", "--base-url", url, "hi")
        assert result.code == 1
        assert "Traceback (most recent call last)" in result.err
        assert "modelwire.errors.LoginRequiredError" in result.err
        assert result.err.endswith("".join(f"{note}\n" for note in plain.notes[1:]))
        assert "T-not-the-right-one" not in result.err
    lines = inside.run("chat", "-m", "hailuo", "--json", "--base-url", url, "hi").json_lines
    assert (lines[-1]["type"], lines[-1]["failure"]["kind"]) == ("Finished", "login_required")


def test_the_timeout_bounds_the_whole_command(inside: Inside) -> None:
    def drip(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked"))
        connection.drip(chunk(b"."), every=0.02)

    with RawServer(drip) as server:
        result = inside.run("chat", "--base-url", server.url, "--timeout", "0.4", "hi")
    assert result.code == 1
    assert result.out.strip(".\n") == ""
    assert result.err == "modelwire: not finished within 0.4 seconds; allow more time, or try again later\n"
    assert files_in(inside.home.path) == []


def test_a_truncated_answer_fails_and_is_not_saved(inside: Inside) -> None:
    def cut(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked") + chunk(b"Hel"))

    with RawServer(cut, cut) as server:
        result = inside.run("chat", "--base-url", server.url, "hi")
        as_json = inside.run("chat", "--base-url", server.url, "--json", "hi")
    assert (result.code, result.out, len(result.notes)) == (1, "Hel\n", 1)
    assert files_in(inside.home.path) == []
    lines = as_json.json_lines
    assert lines[0] == {"type": "TextDelta", "text": "Hel"}
    assert lines[-1]["failure"]["text"] == "Hel"
