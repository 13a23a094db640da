"""The `modelwire` command: what it prints and where, how it ends, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import modelwire_io.emulation.server
from command_line import Home, Inside, Result, Stream
from modelwire.catalog import PROVIDERS
from modelwire.emulators import Behaviour
from modelwire.emulators.parts.answers import answer_to
from modelwire.errors import InvalidInput
from modelwire_io.cli.commands import models as models_command
from modelwire_io.emulation import EmulatorServer
from raw_server import Connection, RawServer, chunk, refusing_url, response

QUICK = Behaviour(pause=0.0, queue=0.0, work=0.0)
CHATS = [name for name, provider in PROVIDERS.items() if provider.kind == "chat"]
# What the emulators accept.
TOKEN, KEY = b"emulated-token", b"emulated-key"
SAID = answer_to("Hello there")


@pytest.fixture(scope="module")
def emulators() -> Iterator[EmulatorServer]:
    with EmulatorServer(behaviour=QUICK) as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def inside(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    return Inside(home, monkeypatch, capsys)


@pytest.fixture
def user(inside: Inside, emulators: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """Somebody whose environment leads to the emulators, and who has logged in."""
    for name, url in emulators.providers.items():
        monkeypatch.setenv(f"{name.upper()}_BASE_URL", url)
    assert inside.run("login", "hailuo", "--token-stdin", typed=TOKEN).code == 0
    assert inside.run("login", "arta", "--token-stdin", typed=KEY).code == 0
    return inside


def json_lines(text: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in text.splitlines()]


def everything_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def strings_in(value: object) -> Iterator[str]:
    """Every string in a JSON value, names of fields apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from strings_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from strings_in(entry)


# A newcomer.


def test_help_says_what_there_is(inside: Inside) -> None:
    result = inside.run("--help")
    assert (result.code, result.err) == (0, "")
    listed = result.out.partition("Commands:\n")[2].split("\n")
    commands = [line.split()[0] for line in listed if line]
    assert set(commands) >= {"demo", "chat", "image", "models", "emulate", "login"}
    for command in commands:
        result = inside.run(command, "--help")
        assert (result.code, result.err) == (0, "")
        assert f"Usage: modelwire {command} [OPTIONS]" in result.out
        assert "--debug" in result.out
        assert all(len(line) <= 80 for line in result.out.splitlines())
    nothing = inside.run()
    assert (nothing.code, nothing.out) == (2, "")
    assert "Commands:" in nothing.err
    assert inside.run("--version").out.startswith("modelwire, version ")


USAGE_ERRORS = {
    ("chta",): "unknown command 'chta': did you mean 'chat'?",
    ("zzz",): "unknown command 'zzz': there are: ",
    ("chat", "--emulat", "hi"): "No such option '--emulat'",
    ("chat", "-m"): "Option '-m' requires an argument; see: modelwire ",
    ("chat", "-m", "cromicel", "hi"): "unknown provider 'cromicel': did you mean 'cromicle'?",
    ("chat", "-m", "cromicle/gpt-3", "hi"): "unknown model 'gpt-3' for Cromicle: did you mean 'gpt-3.5-turbo'?",
    ("chat", "-m", "arta", "hi"): "ARTA is for images, not for chats: choose another provider",
    ("image", "-m", "cromicle", "hi"): "Cromicle is for chats, not for images: choose another provider",
    ("image", "-m", "arta/fulx", "hi"): "unknown model 'fulx' for ARTA: did you mean 'flux'?",
    ("chat", "-o", "tokn", "x", "hi"): "unknown option 'tokn': did you mean 'token'?",
    ("image", "-o", "steps", "many", "hi"): "bad option: Expected `int`, got `str` - at `$.steps`",
    ("image", "-n", "0", "hi"): "Invalid value for '-n': 0 is not in the range x>=1; see: modelwire image --help",
    ("chat",): "the prompt is empty: give a PROMPT, or pipe one in; see: modelwire chat --help",
    ("chat", "-"): "the prompt is empty: give a PROMPT, or pipe one in; see: modelwire chat --help",
    ("image",): "the prompt is empty: give a PROMPT, or pipe one in; see: modelwire image --help",
    ("chat", ""): "the prompt is empty: say something",
    ("chat", "bad \udcff byte"): "the prompt holds a lone surrogate, which UTF-8 cannot carry",
    ("chat", "--timeout", "0", "hi"): "the timeout is a number of seconds, more than 0",
    ("chat", "--timeout", "soon", "hi"): "Invalid value for '--timeout': 'soon' is not a valid float; see: ",
    ("chat", "--base-url", "localhost:8080", "hi"): "'localhost:8080' is not an http(s) URL",
    ("chat", "--base-url", "http://x/?a=b", "hi"): "a base URL has no query and no fragment",
    ("chat", "--emulate", "--base-url", "http://x", "hi"): "--emulate and --base-url exclude each other; see: ",
    ("models", "arat"): "unknown provider 'arat': did you mean 'arta'?",
    ("login",): "Missing argument 'PROVIDER'; see: modelwire login --help",
    ("login", "halio"): "unknown provider 'halio': did you mean 'hailuo'?",
    ("login", "cromicle"): "Cromicle needs no login: modelwire chat -m cromicle PROMPT",
    ("login", "arta"): "there is no terminal to ask on: pipe the api key in, with --token-stdin; see: ",
    ("login", "arta", "--headless"): "--headless is for a browser, and none is opened; see: ",
    ("login", "hailuo", "--manual", "--timeout", "9"): "--timeout is for a browser, and none is opened; see: ",
    ("login", "hailuo", "--manual", "--token-stdin"): "--manual goes with neither --token-stdin nor --import; see: ",
    ("login", "hailuo", "--import", "none.har"): "cannot read none.har: No such file or directory",
    ("login", "hailuo", "--base-url", "nowhere"): "'nowhere' is not an http(s) URL",
    ("login", "hailuo", "--headless", "--browser", "no-such"): "'no-such' is not a program: name Chrome or Chromium",
    ("logout", "cromicle", "--base-url", "nowhere"): "'nowhere' is not an http(s) URL",
    ("emulate", "--port", "70000"): "Invalid value for '--port': 70000 is not in the range 0<=x<=65535; see: ",
}


@pytest.mark.parametrize("words", USAGE_ERRORS, ids=lambda words: " ".join(words).encode("ascii", "replace").decode())
def test_what_cannot_work_is_one_line_and_exit_code_2(inside: Inside, words: tuple[str, ...]) -> None:
    result = inside.run(*words)
    assert (result.code, result.out, len(result.notes)) == (2, "", 1)
    assert result.err.startswith(f"modelwire: {USAGE_ERRORS[words]}")
    assert everything_in(inside.home.path) == []


# Chats.


@pytest.mark.parametrize("provider", CHATS)
def test_the_answer_goes_to_stdout_and_all_else_to_stderr(user: Inside, provider: str) -> None:
    result = user.run("chat", "-m", provider, "Hello", "there")
    assert result.code == 0
    assert result.out.endswith(f"{SAID}\n")
    if provider == "hailuo":
        assert result.out.startswith("(This is message 1 of chat ")
        assert result.err == "title: Hello there\n"
    else:
        assert (result.out, result.err) == (f"{SAID}\n", "")


def test_the_prompt_comes_from_words_or_from_stdin(user: Inside) -> None:
    ways: list[tuple[tuple[str, ...], bytes]] = [
        (("Hello", "there"), b"not read"),
        ((), b"Hello there\n"),
        (("-",), b"\n Hello there \n\n"),
        (("--", "Hello there"), b""),
    ]
    for words, typed in ways:
        assert user.run("chat", *words, typed=typed).out == f"{SAID}\n"
    assert user.run("chat", typed="Grüezi 雪\nzwei".encode()).out == f"{answer_to('Grüezi 雪' + chr(10) + 'zwei')}\n"
    assert user.run("chat", typed=b"caf\xe9").out == f"{answer_to('caf�')}\n"
    assert user.run("chat", "--", "-5", "+", "3").out == f"{answer_to('-5 + 3')}\n"


def test_a_system_message_comes_first(user: Inside) -> None:
    result = user.run("chat", "-s", "be brief", "hi")
    assert result.out == f"{answer_to('System: be brief' + chr(10) + 'User: hi' + chr(10) + 'Assistant:')}\n"


def test_a_chat_goes_on_where_the_last_one_ended(user: Inside) -> None:
    fresh = user.run("chat", "-c", "one")
    assert fresh.err == "there is no conversation with Cromicle to continue: this begins one\n"
    again = user.run("chat", "-c", "two")
    transcript = ["User: one", f"Assistant: {answer_to('one')}", "User: two", "Assistant:"]
    assert (again.out, again.err) == (f"{answer_to(chr(10).join(transcript))}\n", "")
    # A question without -c begins a conversation, which is the last one from then on.
    user.run("chat", "three")
    third = user.run("chat", "-c", "four")
    transcript = ["User: three", f"Assistant: {answer_to('three')}", "User: four", "Assistant:"]
    assert third.out == f"{answer_to(chr(10).join(transcript))}\n"
    assert "no conversation with FakeGpt" in user.run("chat", "-m", "fakegpt", "-c", "hi").err


def test_an_answer_that_cannot_be_kept_is_an_answer(user: Inside) -> None:
    user.home.state.parent.parent.write_bytes(b"a file in the way")
    result = user.run("chat", "Hello there")
    assert (result.code, result.out) == (0, f"{SAID}\n")
    assert len(result.notes) == 1
    assert result.err.startswith("modelwire: -c will not continue this conversation: cannot make the directory ")


def test_a_kept_conversation_that_is_damaged_is_named_and_left_alone(user: Inside) -> None:
    user.run("chat", "one")
    path = user.home.state / "cromicle.json"
    path.write_bytes(b"{")
    result = user.run("chat", "-c", "two")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"modelwire: {path} is damaged: mend it, or delete it to begin anew\n"
    assert path.read_bytes() == b"{"


@pytest.mark.parametrize("provider", CHATS)
def test_json_lines_tell_everything_but_secrets(user: Inside, provider: str) -> None:
    result = user.run("chat", "-m", provider, "--json", "Hello there")
    assert (result.code, result.err) == (0, "")
    told = json_lines(result.out)
    assert told[-1] == {"type": "Finished", "failure": None}
    answer = "".join(line["text"] for line in told if line["type"] == "TextDelta")
    assert answer.endswith(SAID)
    kept = [msgspec.json.decode(path.read_bytes()) for path in everything_in(user.home.path) if path.suffix == ".json"]
    secrets = {text for content in kept for origin in content["origins"].values() for text in strings_in(origin)}
    if provider == "hailuo":
        assert {"token": "[secret]", "chatID": "[secret]", "characterID": "[secret]"} in [
            line.get("conversation") for line in told
        ]
        assert TOKEN.decode() in secrets
    if provider == "fakegpt":
        assert {"access_token": "[secret]", "cookies": "[secret]"} in [line.get("credentials") for line in told]
        assert any(len(secret) == 32 for secret in secrets)
    # What the provider says itself is no secret: Hailuo's emulator tells the number of the chat.
    assert not [secret for secret in secrets if len(secret) > 12 and secret not in answer and secret in result.out]


def hailuo_says(*contents: str) -> bytes:
    """A response of Hailuo's in which the answer so far is each of these in turn."""
    data = [{"data": {"messageResult": {"content": content}}} for content in contents]
    events = [b"event: message_result\ndata: %b\n\n" % msgspec.json.encode(entry) for entry in data]
    body = b"".join(events) + b"event: close_chunk\ndata: {}\n\n"
    return response("Content-Type: text/event-stream", f"Content-Length: {len(body)}", body=body)


def test_an_answer_that_is_taken_back_is_said_to_be(inside: Inside) -> None:
    reply = hailuo_says("It is ra", "It is raining.", "It is snowing.", "It is snowing. Really.")
    with RawServer(*[lambda connection: connection.answer(reply)] * 2) as server:
        there = ("-m", "hailuo", "--base-url", server.url)
        inside.run("login", "hailuo", "--base-url", server.url, "--token-stdin", typed=b"T-12345678")
        result = inside.run("chat", *there, "the weather?")
        history = msgspec.json.decode((inside.home.state / "hailuo.json").read_bytes())["origins"][server.url]
        told = json_lines(inside.run("chat", *there, "--json", "the weather?").out)
    assert (result.code, result.out) == (0, "It is raining.\nIt is snowing. Really.\n")
    assert result.err == "the provider revised its answer, which now is:\n"
    assert history["messages"][-1] == {"role": "assistant", "content": "It is snowing. Really."}
    assert {"type": "TextReplaced", "text": "It is snowing."} in told


# Failures.


def fails(result: Result, *lines: str) -> None:
    """Assert that it ended with exit code 1, an empty stdout, and lines on stderr that begin like these."""
    assert (result.code, result.out) == (1, "")
    assert len(result.notes) == len(lines), result.err
    for note, line in zip(result.notes, lines, strict=True):
        assert note.startswith(line)


def test_a_server_that_is_not_there_is_one_line_and_a_hint(inside: Inside) -> None:
    with refusing_url() as url:
        result = inside.run("chat", "--base-url", url, "hi")
    fails(result, f"modelwire: could not connect to {url}/chat: ", f"Nothing listens at {url}? To try it without: ")
    assert everything_in(inside.home.path) == []


def test_a_service_that_is_gone_is_called_so(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_url() as url:
        # A proxy that refuses: nothing leaves this machine.
        gone = inside.run("chat", "--proxy", url, "hi")
        assert inside.run("login", "hailuo", "--token-stdin", typed=b"T-12345678").code == 0
        unknown = inside.run("chat", "-m", "hailuo", "--proxy", url, "hi")
    fails(gone, "modelwire: ", "Cromicle: The service is gone; ")
    fails(unknown, "modelwire: ", "It is not known whether Hailuo AI answers today. To try it without: --emulate")


def test_a_missing_login_is_asked_for(inside: Inside, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    result = inside.run("chat", "-m", "hailuo", "--base-url", url, "hi")
    fails(
        result,
        f"Hailuo AI wants a login: {url}",
        "modelwire: Hailuo AI answers only after a login",
        f"To log in: modelwire login hailuo --base-url {url}. To try it without: --emulate",
    )
    fails(
        inside.run("image", "a cat"),
        "modelwire: ARTA needs an API key of your own: set ARTA_API_KEY",
        "To store the api key: modelwire login arta. To try it without: --emulate",
    )


PAGE = b"<!doctype html><title>Just a\nmoment...</title><body>checking your browser"
HTML = response("Content-Type: text/html", f"Content-Length: {len(PAGE)}", body=PAGE)
BROKEN = response(f"Content-Length: {len(PAGE)}", status="500 Oops", body=PAGE)
NOT_FOUND = response("Content-Length: 0", status="404 Not Found")
EMPTY = response("Content-Length: 0")


@pytest.mark.parametrize(
    ("provider", "reply", "said"),
    [
        ("fakegpt", HTML, "/api/loads"),
        ("cromicle", BROKEN, "/chat answered with status 500: a page titled 'Just a moment...'"),
        ("cromicle", NOT_FOUND, "/chat answered with status 404"),
        ("cromicle", EMPTY, "no valid response: the answer is empty"),
    ],
)
def test_an_answer_that_is_none_is_one_line(inside: Inside, provider: str, reply: bytes, said: str) -> None:
    def answer_all(connection: Connection) -> None:
        while True:
            connection.answer(reply)

    with RawServer(answer_all, answer_all, answer_all) as server:
        result = inside.run("chat", "-m", provider, "--base-url", server.url, "hi")
    assert (result.code, result.out, len(result.notes)) == (1, "", 1)
    assert result.err.startswith("modelwire: ")
    if reply is HTML:
        assert "HTML" in result.err or "JSON" in result.err
    else:
        assert said in result.err


def test_a_refused_token_is_not_shown_not_even_in_a_trace(inside: Inside, emulators: EmulatorServer) -> None:
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
    lines = json_lines(inside.run("chat", "-m", "hailuo", "--json", "--base-url", url, "hi").out)
    assert (lines[-1]["type"], lines[-1]["failure"]["kind"]) == ("Finished", "login_required")


def test_the_timeout_is_for_all_of_it(inside: Inside) -> None:
    def drip(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked"))
        connection.drip(chunk(b"."), every=0.02)

    with RawServer(drip) as server:
        result = inside.run("chat", "--base-url", server.url, "--timeout", "0.4", "hi")
    assert result.code == 1
    assert result.out.strip(".\n") == ""
    assert result.err == "modelwire: not finished within 0.4 seconds; allow more time, or try again later\n"
    assert everything_in(inside.home.path) == []


def test_an_answer_that_is_cut_off_fails_and_is_not_kept(inside: Inside) -> None:
    def cut(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked") + chunk(b"Hel"))

    with RawServer(cut, cut) as server:
        result = inside.run("chat", "--base-url", server.url, "hi")
        as_json = inside.run("chat", "--base-url", server.url, "--json", "hi")
    assert (result.code, result.out, len(result.notes)) == (1, "Hel\n", 1)
    assert everything_in(inside.home.path) == []
    told = json_lines(as_json.out)
    assert told[0] == {"type": "TextDelta", "text": "Hel"}
    assert told[-1]["failure"]["text"] == "Hel"


# Images.


def test_pictures_are_saved_and_their_names_printed(user: Inside) -> None:
    result = user.run("image", "-n", "2", "-O", "made/here", "a", "dragon")
    assert result.code == 0
    paths = [Path(line) for line in result.out.splitlines()]
    assert everything_in(user.home.folder) == [user.home.folder / path for path in paths]
    assert [path.parent for path in paths] == [Path("made/here")] * 2
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n") for path in paths)
    assert result.notes[-1].startswith("Generated in ")
    assert "\x1b" not in result.err
    again = user.run("image", "-m", "arta/Low Poly", typed=b"a dragon\n")
    assert again.code == 0
    assert Path(again.out.strip()).parent == Path()


def test_pictures_as_json_lines_say_where_they_are(user: Inside) -> None:
    result = user.run("image", "--json", "-o", "n", "2", "a dragon")
    assert (result.code, result.err) == (0, "")
    told = json_lines(result.out)
    saved = [line for line in told if line["type"] == "ImageSaved"]
    assert [line["media_type"] for line in saved] == ["image/png"] * 2
    assert everything_in(user.home.folder) == sorted(user.home.folder / line["path"] for line in saved)
    assert told[-1] == {"type": "Finished", "failure": None}
    assert KEY.decode() not in result.out


def test_a_folder_that_cannot_be_is_refused_before_the_job_is_begun(user: Inside, emulators: EmulatorServer) -> None:
    (user.home.folder / "file").write_bytes(b"")
    before = len(emulators.requests)
    result = user.run("image", "-O", "file", "a dragon")
    assert (result.code, result.out) == (2, "")
    assert result.err == "modelwire: cannot save an image in file: it is a file; choose another folder\n"
    assert len(emulators.requests) == before


# Providers and logins.


def test_models_lists_providers_and_models(inside: Inside) -> None:
    table = inside.run("models")
    assert (table.code, table.err) == (0, "")
    for provider in PROVIDERS.values():
        assert any(line.split()[:2] == [provider.name, provider.kind] for line in table.out.splitlines())
        assert f"{provider.label}: {provider.note}\n" in table.out
    arta = inside.run("models", "ARTA").out.splitlines()
    assert arta[0] == "arta/flux  (default)"
    assert arta[1:] == [f"arta/{model}" for model in PROVIDERS["arta"].models if model != "flux"]
    listed = msgspec.json.decode(inside.run("models", "--json").out)
    assert [entry["name"] for entry in listed] == list(PROVIDERS)
    assert msgspec.json.decode(inside.run("models", "--json", "arta").out) == listed[-1]


def test_a_broken_plugin_does_not_hide_the_others(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> None:
        raise InvalidInput(f"the provider {name!r} does not load")

    monkeypatch.setattr(models_command, "plugin_names", lambda: ["broken"])
    monkeypatch.setattr(models_command, "load_provider", load)
    result = inside.run("models")
    assert (result.code, result.err) == (0, "modelwire: the provider 'broken' does not load\n")
    assert "cromicle" in result.out


def test_a_login_is_kept_in_a_private_file(inside: Inside) -> None:
    result = inside.run("login", "Hailuo", "--token-stdin", typed=b" T-1\n")
    assert (result.code, result.out) == (0, "")
    assert result.err == "stored the token for Hailuo AI at https://www.hailuo.ai\n"
    inside.run("login", "hailuo", "--token-stdin", "--base-url", "http://127.0.0.1:9/h/", typed=b"T-2")
    path = inside.home.data / "hailuo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    content = msgspec.json.decode(path.read_bytes())
    assert content["version"] == 1
    tokens = {origin: kept["token"] for origin, kept in content["origins"].items()}
    assert tokens == {"https://www.hailuo.ai": "T-1", "http://127.0.0.1:9/h": "T-2"}


def test_a_login_may_be_all_of_a_browsers_values(inside: Inside) -> None:
    values = {"token": "T", "uuid": "U", "device_id": "D", "cpu_core_num": 4}
    assert inside.run("login", "hailuo", "--token-stdin", typed=msgspec.json.encode(values)).code == 0
    content = msgspec.json.decode((inside.home.data / "hailuo.json").read_bytes())
    assert content["origins"]["https://www.hailuo.ai"].items() >= values.items()


@pytest.mark.parametrize(
    ("provider", "typed", "said"),
    [
        ("hailuo", b" \n", "the token is empty; see: "),
        ("hailuo", b"two words", "the token holds a blank or a character that it cannot hold: copy it again"),
        ("hailuo", b"T\x1b[31m", "the token holds a blank or a character that it cannot hold: copy it again"),
        ("arta", "K-→".encode(), "the api key holds a blank or a character that it cannot hold: copy it again"),
        ("hailuo", b'{"token": "T"', "what was read begins like JSON, and is none: "),
        ("hailuo", b'{"a":' * 100_000, "what was read begins like JSON, and is none: "),
        ("hailuo", b'{"tokn": "T"}', "the JSON that was read has no token"),
        ("arta", b'{"apikey": "K-secret"}', "the JSON that was read has no api_key"),
        ("hailuo", b'{"token": "T", "cpu_core_num": "K-secret"}', "the credentials do not fit: "),
    ],
)
def test_a_login_that_cannot_work_is_refused(inside: Inside, provider: str, typed: bytes, said: str) -> None:
    result = inside.run("login", provider, "--token-stdin", typed=typed)
    assert (result.code, result.out, len(result.notes)) == (2, "", 1)
    assert result.err.startswith(f"modelwire: {said}")
    assert "K-secret" not in result.err
    assert everything_in(inside.home.path) == []


WHOLE = b'{"version": 1, "origins": {"https://www.hailuo.ai": {"token": "K-secret"}}}'
BEGIN_ANEW = "{path} is damaged: mend it, or delete it to begin anew"
CANNOT_USE = {
    "empty": (b"", BEGIN_ANEW),
    "no JSON": (b"token=K-secret", BEGIN_ANEW),
    "another shape": (b'{"version": 1, "origins": ["K-secret"]}', BEGIN_ANEW),
    "another release": (
        b'{"version": 9}',
        "{path} was written by another release of modelwire: delete it to begin anew",
    ),
    "a link": (WHOLE, "cannot read {path}: it is a symbolic link; move it away"),
    "a folder": (b"", "cannot use {path}: it is not a regular file; move it away"),
    "open to others": (WHOLE, "cannot use {path}: others can write it; make it private with: chmod 600 {path}"),
    "of another user": (WHOLE, "cannot use {path}: it belongs to another user; move it away"),
    "in a link": (WHOLE, "cannot use the directory {folder}: it is a symbolic link; move it away"),
    "in an open folder": (WHOLE, "cannot use {folder}: others can write it; make it private with: chmod 700 {folder}"),
    "in a folder of another user": (WHOLE, "cannot use {folder}: it belongs to another user; move it away"),
}


def lay(trap: str, path: Path, content: bytes) -> None:
    """A file of credentials in a state that it should not be in."""
    folder, elsewhere = path.parent, path.parent.parent / "elsewhere"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    if trap == "a folder":
        path.mkdir()
        return
    path.write_bytes(content)
    path.chmod(0o666 if trap == "open to others" else 0o600)
    if trap == "a link":
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
    elif trap == "in a link":
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
    elif trap == "in an open folder":
        folder.chmod(0o770)
    elif trap == "of another user":
        os.chown(path, 1, 1)
    elif trap == "in a folder of another user":
        os.chown(folder, 1, 1)


@pytest.mark.parametrize("trap", CANNOT_USE)
def test_a_file_of_credentials_that_cannot_be_used_is_named_and_left_alone(inside: Inside, trap: str) -> None:
    if trap.endswith("of another user") and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    content, said = CANNOT_USE[trap]
    path = inside.home.data / "hailuo.json"
    lay(trap, path, content)
    before = [(file, file.lstat()[:6]) for file in sorted(inside.home.path.rglob("*"))]
    for words in (("chat", "-m", "hailuo", "hi"), ("login", "hailuo", "--token-stdin"), ("logout", "hailuo")):
        result = inside.run(*words, typed=b"T-1")
        assert (result.code, result.out) == (1, "")
        assert result.err == f"modelwire: {said.format(path=path, folder=path.parent)}\n"
    assert path.is_dir() or path.read_bytes() == content
    files = [
        (file, file.lstat()[:6]) for file in sorted(inside.home.path.rglob("*")) if not file.name.endswith(".lock")
    ]
    assert files == before


def test_a_damaged_file_of_credentials_is_named_and_left_alone(user: Inside) -> None:
    path = user.home.data / "hailuo.json"
    path.write_bytes(b"")
    for words in (("chat", "-m", "hailuo", "hi"), ("login", "hailuo", "--token-stdin")):
        result = user.run(*words, typed=b"T-1")
        assert (result.code, result.out) == (1, "")
        assert result.err == f"modelwire: {path} is damaged: mend it, or delete it to begin anew\n"
    assert path.read_bytes() == b""


# Showing what there is.


def test_demo_shows_every_provider(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modelwire_io.emulation.server, "EmulatorServer", partial(EmulatorServer, behaviour=QUICK))
    result = inside.run("demo", "-O", "pictures")
    assert (result.code, result.err) == (0, "")
    for provider in PROVIDERS.values():
        assert f"\n{provider.label}\n> " in result.out
        assert any(line.split()[:1] == [provider.name] for line in result.out.splitlines())
    assert result.out.count(answer_to("What is a sans-IO protocol?")) == len(CHATS)
    assert [path.parent.name for path in everything_in(inside.home.path)] == ["pictures"]
    assert "  POST /chat -> 200\n" in result.out


def test_everything_runs_without_a_network_and_keeps_nothing(home: Home) -> None:
    commands: dict[str, tuple[str, ...]] = {name: ("chat", "--emulate", "-m", name, "Hello there") for name in CHATS}
    commands["arta"] = ("image", "--emulate", "a dragon")
    commands["demo"] = ("demo", "-O", str(home.folder / "demo"))
    with ExitStack() as stack:
        running = {name: stack.enter_context(home.started(*words)) for name, words in commands.items()}
        results = {name: command.finish() for name, command in running.items()}
    assert {name: result.code for name, result in results.items()} == dict.fromkeys(commands, 0)
    for name in CHATS:
        assert results[name].out.endswith(f"{SAID}\n")
    assert results["arta"].notes[:2] == ["Waiting", "Generating"]
    pictures = [home.folder / results["arta"].out.strip(), *(home.folder / "demo").iterdir()]
    assert everything_in(home.path) == sorted(pictures)
    assert len(pictures) == 2
    assert {name for name, result in results.items() if result.err} == {"hailuo", "arta"}


# Processes.


def test_a_conversation_goes_on_in_another_process(home: Home) -> None:
    with home.started("emulate") as server:
        url = msgspec.json.decode(server.wait_for("\n"))["providers"]["hailuo"]
        there = ("--base-url", url)
        assert home.run("login", "hailuo", "--token-stdin", *there, typed=TOKEN).code == 0
        first = home.run("chat", "-m", "hailuo", *there, "Hello there")
        second = home.run("chat", "-m", "hailuo", "-c", *there, "And now?")
    chat = first.out.partition("(This is message 1 of chat ")[2].partition(".)")[0]
    assert chat.isdecimal()
    assert second.out == f"(This is message 2 of chat {chat}.) {answer_to('And now?')}\n"
    kept = everything_in(home.path)
    assert {path.name for path in kept if path.suffix == ".json"} == {"hailuo.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def free_port() -> int:
    """A port that is free, and none that the system gives away by itself in the meantime."""
    for port in range(20_000 + os.getpid() % 5_000, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_emulate_says_where_it_is_and_ends_when_told(home: Home, number: signal.Signals) -> None:
    port = free_port()
    with home.started("emulate", "--port", str(port)) as server:
        ready = msgspec.json.decode(server.wait_for("\n"))
        assert ready["url"] == f"http://127.0.0.1:{port}"
        assert ready["providers"] == {name: f"http://127.0.0.1:{port}/{name}" for name in PROVIDERS}
        # A connection that is open does not hold it up.
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"POST /cromicle/chat HTTP/1.1\r\n")
            taken = home.run("emulate", "--port", str(port))
            server.stop(number)
            result = server.finish()
    assert (taken.code, taken.out) == (2, "")
    assert taken.err == f"modelwire: port {port} is in use: choose another with --port\n"
    assert result.code == (130 if number is signal.SIGINT else 0)
    assert len(result.out.splitlines()) == 1
    assert "Traceback" not in result.err


def test_an_interrupted_chat_stops_at_once_and_keeps_nothing(home: Home) -> None:
    def begin(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked") + chunk(b"Once upon"))
        connection.wait_for_end()

    with RawServer(begin) as server, home.started("chat", "--base-url", server.url, "a story") as command:
        command.wait_for("Once upon")
        command.stop()
        result = command.finish()
        assert server.connections[0].saw_end.wait(5)
    assert (result.code, result.out) == (130, "Once upon\n")
    assert result.err.strip() == "interrupted"
    assert everything_in(home.path) == []


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
    assert everything_in(home.folder) == []


def test_a_reader_that_has_seen_enough_ends_the_command_quietly(home: Home) -> None:
    has_read = threading.Event()

    def tell(connection: Connection) -> None:
        connection.read_request()
        connection.send(response("Transfer-Encoding: chunked") + chunk(b"first line\n"))
        assert has_read.wait(20)
        connection.send(chunk(b"second line\n"))
        connection.wait_for_end()

    with RawServer(tell) as server, home.started("chat", "--base-url", server.url, "hi") as command:
        # As `modelwire chat ... | head -1`.
        assert command.wait_for("\n") == "first line\n"
        command.close_stdout()
        has_read.set()
        assert command.finish() == Result(1, "first line\n", "")
    assert everything_in(home.path) == []


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
def test_what_stdout_cannot_show_ends_nothing(home: Home, emulators: EmulatorServer, locale: dict[str, str]) -> None:
    there = emulators.providers["cromicle"]
    result = home.run("chat", "--base-url", there, typed="Grüezi 雪".encode(), extra=locale)
    assert (result.code, result.err) == (0, "")
    wanted = f"{answer_to('Grüezi 雪')}\n"
    encoding = "utf-8" if locale == {"LC_ALL": "C"} else "ascii"
    assert result.out == wanted.encode(encoding, "replace").decode(encoding)


def test_what_a_pipe_gets_is_the_answer_as_it_came(home: Home) -> None:
    body = b"\x1b[31mred\x1b[0m\r\ntab\there"
    answer = response(f"Content-Length: {len(body)}", body=body)

    with RawServer(lambda connection: connection.answer(answer)) as server:
        result = home.run("chat", "--base-url", server.url, "hi")
    assert result == Result(0, body.decode() + "\n", "")


@pytest.mark.parametrize("closed", ["stdin", "stdout"])
def test_a_stream_that_is_closed_is_no_accident(home: Home, emulators: EmulatorServer, closed: Stream) -> None:
    result = home.run("chat", "--base-url", emulators.providers["cromicle"], "Hello there", closed=closed)
    assert (result.code, result.err) == (0, "")
    assert result.out == ("" if closed == "stdout" else f"{SAID}\n")
