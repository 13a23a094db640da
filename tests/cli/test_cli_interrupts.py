"""`modelwire emulate`, and what Ctrl-C and SIGTERM do to a command."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack

import msgspec
import pytest

from command_line import PATIENCE, Home, files_in
from modelwire.catalog import PROVIDERS
from modelwire.emulators import Behaviour
from modelwire_io.emulation import EmulatorServer
from raw_server import Connection, RawServer, chunk, response


def free_port() -> int:
    """A free port outside the range of those that the system assigns."""
    for port in range(20_000 + os.getpid() % 5_000, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_emulate_writes_its_address_and_ends_at_a_signal(home: Home, number: signal.Signals) -> None:
    port = free_port()
    with home.started("emulate", "--port", str(port)) as server:
        ready = msgspec.json.decode(server.wait_for("\n"))
        assert ready["url"] == f"http://127.0.0.1:{port}"
        assert ready["providers"] == {name: f"http://127.0.0.1:{port}/{name}" for name in PROVIDERS}
        # An open connection does not delay the end.
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"POST /cromicle/chat HTTP/1.1\r\n")
            taken = home.run("emulate", "--port", str(port))
            server.stop(number)
            result = server.finish()
    assert (taken.code, taken.out) == (2, "")
    assert taken.notes == [
        f"modelwire: port {port} is in use: choose another",
        "To choose a port: --port PORT; without it, a free one is used",
    ]
    assert result.code == (130 if number is signal.SIGINT else 0)
    assert len(result.out.splitlines()) == 1
    assert "Traceback" not in result.err


def begin_an_answer(connection: Connection) -> None:
    """Send the beginning of an answer, and wait until the client goes away."""
    connection.limit(PATIENCE)
    connection.read_request()
    connection.send(response("Transfer-Encoding: chunked") + chunk(b"Once upon"))
    connection.wait_for_end()


def test_an_interrupted_chat_stops_at_once_and_leaves_nothing(home: Home) -> None:
    with RawServer(begin_an_answer) as server, home.started("chat", "--base-url", server.url, "a story") as command:
        command.wait_for("Once upon")
        command.stop()
        result = command.finish()
        assert server.connections[0].saw_end.wait(PATIENCE)
    assert (result.code, result.out) == (130, "Once upon\n")
    assert result.err.strip() == "interrupted"
    assert files_in(home.path) == []


def test_ctrl_c_pressed_many_times_ends_a_chat_with_exit_code_130(home: Home) -> None:
    with RawServer(begin_an_answer) as server, home.started("chat", "--base-url", server.url, "a story") as command:
        command.wait_for("Once upon")
        command.interrupt_repeatedly()
        result = command.finish()
    assert result.code == 130
    assert result.notes[-1] == "interrupted"


def test_ctrl_c_pressed_many_times_ends_the_emulators_with_exit_code_130(home: Home) -> None:
    with home.started("emulate") as command:
        command.wait_for_note("Ctrl-C stops the emulators\n")
        command.interrupt_repeatedly()
        result = command.finish()
    assert result.code == 130
    assert result.notes[-1] == "interrupted"


def test_a_command_can_be_interrupted_if_the_tests_ignore_sigint(home: Home) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with home.started("emulate") as command:
            command.wait_for_note("Ctrl-C stops the emulators\n")
            command.stop()
            assert command.finish().code == 130
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupted_job_leaves_no_picture(home: Home) -> None:
    with EmulatorServer(behaviour=Behaviour(queue=0.0, work=3600.0)) as server, ExitStack() as stack:
        to_the_emulator = {"ARTA_BASE_URL": server.providers["arta"], "ARTA_API_KEY": "K"}
        command = stack.enter_context(home.started("image", "-O", "out", "a cat", extra=to_the_emulator))
        command.wait_for_note("Generating\n")
        command.stop()
        result = command.finish()
    assert (result.code, result.out) == (130, "")
    assert "interrupted" in result.notes
    assert "Traceback" not in result.err
    assert files_in(home.folder) == []
