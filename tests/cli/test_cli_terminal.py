"""The `modelwire` command on a terminal: what it shows, and that no answer can control the terminal."""

from __future__ import annotations

import stat

import msgspec
import pytest

from command_line import CTRL_C, CTRL_D, Home
from modelwire.emulators import Behaviour
from modelwire.emulators.parts.model_answers import answer_to
from modelwire.json import JsonValue
from modelwire_io.emulation import EmulatorServer
from raw_server import Connection, RawServer, chunk, response

BOLD, RESET = "\x1b[1m", "\x1b[0m"
HOSTILE = b"a\x1b[31mred\x1b]0;owned\x07\x9b2J\xc2\x9b2J\x08\x08\x7f b\r\nc\td\x00\n"
QUICK = Behaviour(pause=0.0, queue=0.0, work=0.0)
ENDLESS = Behaviour(queue=0.0, work=3600.0)


def at_emulator(server: EmulatorServer) -> dict[str, str]:
    """The environment of a user of ARTA's emulator."""
    return {"ARTA_BASE_URL": server.providers["arta"], "ARTA_API_KEY": "K-12345678"}


def test_a_heading_is_bold_unless_colours_are_unwelcome(home: Home) -> None:
    with home.terminal("models") as terminal:
        result = terminal.finish()
    assert result.code == 0
    assert result.err.startswith(f"{BOLD}PROVIDER")
    assert result.err.partition("\n")[0].endswith(f"SERVICE{RESET}")
    for unwelcome in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with home.terminal("models", extra=unwelcome) as terminal:
            plain = terminal.finish()
        assert plain.code == 0
        assert plain.err == terminal.visible == result.err.replace(BOLD, "").replace(RESET, "")


def test_an_answer_cannot_control_the_terminal(home: Home) -> None:
    answer = response(f"Content-Length: {len(HOSTILE)}", body=HOSTILE)
    with (
        RawServer(lambda connection: connection.respond(answer)) as server,
        home.terminal("chat", "--base-url", server.url, "hi") as terminal,
    ):
        result = terminal.finish()
    assert (result.code, result.err) == (0, "a[31mred]0;owned\ufffd2J2J b\nc\td\n")


def test_an_error_message_cannot_control_the_terminal(home: Home) -> None:
    body = msgspec.json.encode({"error": {"message": "no\x1b]0;owned\x07\nmodelwire: all is well"}})
    refusal = response("Content-Type: application/json", f"Content-Length: {len(body)}", status="400 No", body=body)
    with (
        RawServer(lambda connection: connection.respond(refusal)) as server,
        home.terminal("chat", "--base-url", server.url, "hi") as terminal,
    ):
        result = terminal.finish()
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert "\x1b" not in result.err
    assert "\x07" not in result.err


def test_a_title_cannot_control_the_terminal(home: Home) -> None:
    title = "t\x1b]0;owned\x07\u009b2J\nmodelwire: all is well"
    events: tuple[tuple[str, JsonValue], ...] = (
        ("send_result", {"data": {"sendResult": {"chatTitle": title, "chatID": "7"}}}),
        ("message_result", {"data": {"messageResult": {"content": "hello"}}}),
        ("close_chunk", {}),
    )
    body = b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data)) for name, data in events)
    answer = response("Content-Type: text/event-stream", f"Content-Length: {len(body)}", body=body)
    with RawServer(lambda connection: connection.respond(answer)) as server:
        there = ("--base-url", server.url)
        assert home.run("login", "hailuo", "--token-stdin", *there, typed=b"T-12345678").code == 0
        with home.terminal("chat", "-m", "hailuo", *there, "hi") as terminal:
            result = terminal.finish()
    assert (result.code, result.err) == (0, "title: t ]0;owned  2J modelwire: all is well\nhello\n")


def test_a_missing_prompt_is_not_waited_for(home: Home) -> None:
    with home.terminal("chat", "--emulate") as terminal:
        result = terminal.finish()
    assert (result.code, result.err) == (2, "modelwire: give a PROMPT, or pipe one in; see: modelwire chat --help\n")


def test_a_prompt_is_typed_if_the_user_asks_for_that(home: Home, emulators: EmulatorServer) -> None:
    with home.terminal("chat", "--base-url", emulators.providers["cromicle"], "-", piped=True) as terminal:
        terminal.type(f"Hello\nthere\n{CTRL_D}")
        result = terminal.finish()
    assert (result.code, result.out) == (0, f"{answer_to('Hello' + chr(10) + 'there')}\n")


def test_ctrl_c_ends_an_answer(home: Home) -> None:
    def begin(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked") + chunk(b"Once upon"))
        connection.wait_for_end()

    with RawServer(begin) as server, home.terminal("chat", "--base-url", server.url, "a story") as terminal:
        terminal.wait_for("Once upon")
        terminal.interrupt()
        result = terminal.finish()
    assert result.code == 130
    assert result.err.replace("^C", "").split() == ["Once", "upon", "interrupted"]


def test_a_key_is_typed_and_not_shown(home: Home) -> None:
    with home.terminal("login", "arta") as terminal:
        terminal.wait_for("ARTA api key (not shown): ")
        terminal.type("K-12345678\n")
        result = terminal.finish()
    assert result.code == 0
    assert "12345678" not in result.err
    assert result.err.endswith("stored the api key for ARTA at https://ai-arta.com\n")
    assert "https://ai-arta.com\n" in result.err.partition("(not shown)")[0]
    path = home.data / "arta.json"
    assert msgspec.json.decode(path.read_bytes())["origins"]["https://ai-arta.com"]["api_key"] == "K-12345678"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_values_of_a_browser_are_typed_and_not_shown(home: Home) -> None:
    with home.terminal("login", "hailuo", "--manual") as terminal:
        terminal.wait_for('localStorage["_token"] (not shown): ')
        terminal.type('"T-12345678"\n')
        terminal.wait_for('localStorage["UNIQUE_USER_ID"] (not shown; may be left empty): ')
        terminal.type("\n")
        terminal.wait_for('localStorage["USER_HARD_WARE_INFO"] (not shown; may be left empty): ')
        terminal.type("4711-4711\n")
        terminal.wait_for("navigator.userAgent (not shown; may be left empty): ")
        terminal.type("'Mozilla/5.0 (X11)'\n")
        result = terminal.finish()
    assert result.code == 0
    assert not any(value in result.err for value in ("12345678", "4711", "Mozilla"))
    assert result.err.endswith("stored the login for Hailuo AI at https://www.hailuo.ai\n")
    stored = msgspec.json.decode((home.data / "hailuo.json").read_bytes())["origins"]["https://www.hailuo.ai"]
    values = {"token": "T-12345678", "uuid": "", "device_id": "4711-4711", "user_agent": "Mozilla/5.0 (X11)"}
    assert stored.items() >= values.items()


@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [(CTRL_C, 130, "interrupted"), (CTRL_D, 130, "interrupted"), ("\n", 2, "the api key is empty")],
)
def test_a_login_can_be_cancelled(home: Home, keys: str, code: int, message: str) -> None:
    with home.terminal("login", "arta") as terminal:
        terminal.wait_for("(not shown): ")
        terminal.type(keys)
        result = terminal.finish()
    assert result.code == code
    assert message in result.err
    assert "Traceback" not in result.err
    assert not home.data.exists()


def test_a_progress_bar_is_shown_and_removed(home: Home, emulators: EmulatorServer) -> None:
    with home.terminal("image", "-n", "2", "a cat", extra=at_emulator(emulators)) as terminal:
        result = terminal.finish()
    assert result.code == 0
    assert "━" in result.err
    assert "\x1b[?25l" in result.err
    # In the end the cursor is visible again, and the screen holds the names of the files and no bar.
    assert result.err.rindex("\x1b[?25h") > result.err.rindex("\x1b[?25l")
    lines = [line for line in lines_on_screen(result.err) if line]
    assert lines == sorted(path.name for path in home.folder.iterdir())
    assert len(lines) == 2


def test_the_names_of_pictures_go_to_a_piped_stdout(home: Home, emulators: EmulatorServer) -> None:
    with home.terminal("image", "-n", "2", "a cat", piped=True, extra=at_emulator(emulators)) as terminal:
        result = terminal.finish()
    names = sorted(path.name for path in home.folder.iterdir())
    assert (result.code, result.out) == (0, "".join(f"{name}\n" for name in names))
    assert "━" in result.err
    assert not [line for line in lines_on_screen(result.err) if line]


@pytest.mark.parametrize("unwelcome", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_there_are_lines_if_a_bar_is_unwelcome(
    home: Home, emulators: EmulatorServer, unwelcome: dict[str, str]
) -> None:
    with home.terminal("image", "a cat", extra=at_emulator(emulators) | unwelcome) as terminal:
        result = terminal.finish()
    (name,) = (path.name for path in home.folder.iterdir())
    status, saved = result.err.splitlines()
    assert (result.code, saved) == (0, name)
    assert status.startswith("Generated in ")


def test_ctrl_c_ends_a_job_and_leaves_the_terminal_as_it_was(home: Home) -> None:
    with (
        EmulatorServer(behaviour=ENDLESS) as server,
        home.terminal("image", "a cat", extra=at_emulator(server)) as terminal,
    ):
        terminal.wait_for("Generating")
        terminal.interrupt()
        result = terminal.finish()
    assert result.code == 130
    assert "interrupted" in result.err
    assert "Traceback" not in result.err
    assert result.err.rindex("\x1b[?25h") > result.err.rindex("\x1b[?25l")
    assert list(home.folder.iterdir()) == []


def lines_on_screen(screen: str) -> list[str]:
    """The lines of the screen after carriage returns, erased lines and steps up have taken effect."""
    lines, row = [""], 0
    rest = screen
    while rest:
        for control, steps in (("\x1b[1A", -1), ("\n", 1)):
            if rest.startswith(control):
                row, rest = row + steps, rest.removeprefix(control)
                lines += [""] * (row + 1 - len(lines))
                break
        else:
            if rest.startswith("\x1b[2K"):
                lines[row], rest = "", rest.removeprefix("\x1b[2K")
            elif rest.startswith("\x1b["):
                rest = rest[next(i for i, c in enumerate(rest[2:], 3) if c.isalpha()) :]
            else:
                lines[row] += rest[0].strip("\r")
                rest = rest[1:]
    return lines
