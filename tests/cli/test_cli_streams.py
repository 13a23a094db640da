"""The streams of the command: pipes, encodings, full disks, and streams that are closed."""

from __future__ import annotations

import threading

import pytest

from command_line import PATIENCE, Home, Result, Stream, files_in
from modelwire.emulators.parts.model_answers import answer_to
from modelwire_io.emulation import EmulatorServer
from raw_server import Connection, RawServer, chunk, response

SAID = answer_to("Hello there")


def test_a_reader_that_closes_the_pipe_ends_the_command_quietly(home: Home) -> None:
    has_read = threading.Event()

    def send_two_lines(connection: Connection) -> None:
        connection.limit(PATIENCE)
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked") + chunk(b"first line\n"))
        assert has_read.wait(PATIENCE)
        connection.send(chunk(b"second line\n"))
        connection.wait_for_end()

    with RawServer(send_two_lines) as server, home.started("chat", "--base-url", server.url, "hi") as command:
        # Like `modelwire chat ... | head -1`.
        assert command.wait_for("\n") == "first line\n"
        command.close_stdout()
        has_read.set()
        assert command.finish() == Result(1, "first line\n", "")
    assert files_in(home.path) == []


def test_a_full_disk_is_one_line(home: Home) -> None:
    with open("/dev/full", "wb") as full:
        result = home.run("models", stdout=full)
    assert result == Result(1, "", "modelwire: No space left on device\n")


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
    ],
    ids=["C", "plain C", "ascii"],
)
def test_characters_that_stdout_cannot_encode_are_replaced(
    home: Home, emulators: EmulatorServer, locale: dict[str, str]
) -> None:
    url = emulators.providers["cromicle"]
    result = home.run("chat", "--base-url", url, typed="Grüezi 雪".encode(), extra=locale)
    assert (result.code, result.err) == (0, "")
    wanted = f"{answer_to('Grüezi 雪')}\n"
    encoding = "utf-8" if locale == {"LC_ALL": "C"} else "ascii"
    assert result.out == wanted.encode(encoding, "replace").decode(encoding)


def test_a_pipe_gets_the_answer_unchanged(home: Home) -> None:
    body = b"\x1b[31mred\x1b[0m\r\ntab\there"
    answer = response(f"Content-Length: {len(body)}", body=body)

    with RawServer(lambda connection: connection.respond(answer)) as server:
        result = home.run("chat", "--base-url", server.url, "hi")
    assert result == Result(0, body.decode() + "\n", "")


@pytest.mark.parametrize("closed", ["stdin", "stdout"])
def test_a_closed_stream_does_no_harm(home: Home, emulators: EmulatorServer, closed: Stream) -> None:
    result = home.run("chat", "--base-url", emulators.providers["cromicle"], "Hello there", closed=closed)
    assert (result.code, result.err) == (0, "")
    assert result.out == ("" if closed == "stdout" else f"{SAID}\n")
