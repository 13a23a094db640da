"""`modelwire login` without a browser, `modelwire auth` and `modelwire logout`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from command_line import Inside
from modelwire_io.emulation import EmulatorServer

SITE = "https://www.hailuo.ai"
VALUES = 'T-12345678\n"U-1"\n4711\nMozilla/5.0 (X11)\n'


def stored(inside: Inside, origin: str = SITE) -> dict[str, Any]:
    content = msgspec.json.decode((inside.home.data / "hailuo.json").read_bytes())
    found: dict[str, Any] = content["origins"][origin]
    return found


# Values that a person copies.


def test_the_values_to_copy_are_listed(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    result = inside.run("login", "hailuo", "--manual", typed=VALUES.encode())
    assert (result.code, result.out) == (0, "")
    assert result.notes == [
        f"Log in to Hailuo AI at {SITE} with your own browser. Then open its developer tools (F12), and",
        "evaluate each of these in the Console: copy(EXPRESSION) puts its value into the clipboard.",
        'From stdin, one a line, and all but the first may be empty: localStorage["_token"],'
        ' localStorage["UNIQUE_USER_ID"], localStorage["USER_HARD_WARE_INFO"], navigator.userAgent',
        f"stored the login for Hailuo AI at {SITE}",
    ]
    values = {"token": "T-12345678", "uuid": "U-1", "device_id": "4711", "user_agent": "Mozilla/5.0 (X11)"}
    assert stored(inside).items() >= values.items()
    monkeypatch.setenv("HAILUO_LOGIN_URL", "https://desk.example/vnc")
    assert "at https://desk.example/vnc with" in inside.run("login", "hailuo", "--manual", typed=b"T-1").notes[0]


@pytest.mark.parametrize("typed", ["T-1", "T-1\n", "'T-1'\r\nnull\r\nundefined\r\n\r\n"])
def test_the_token_alone_is_enough(inside: Inside, typed: str) -> None:
    assert inside.run("login", "hailuo", "--manual", typed=typed.encode()).code == 0
    assert (stored(inside)["token"], stored(inside)["uuid"], stored(inside)["user_agent"]) == ("T-1", "", "")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", 'localStorage["_token"] is empty: it has a value once you have logged in'),
        ("null\nU-1", 'localStorage["_token"] is empty: it has a value once you have logged in'),
        (
            "two words",
            'the value of localStorage["_token"] contains a blank or another invalid character: copy it again',
        ),
        (
            "T-1\n\nS-\x1bsecret",
            'the value of localStorage["USER_HARD_WARE_INFO"] contains a blank or another invalid character',
        ),
        (
            "T-1\n\n\nS-гость",
            "the value of navigator.userAgent contains a blank or another invalid character",
        ),
    ],
)
def test_invalid_values_are_refused_and_not_shown(inside: Inside, typed: str, message: str) -> None:
    result = inside.run("login", "hailuo", "--manual", typed=typed.encode())
    assert result.code == 2
    assert result.notes[-1].startswith(f"modelwire: {message}")
    assert "S-" not in result.err
    assert not inside.home.data.exists()


# From a file.


def write(name: str, value: object) -> str:
    Path(name).write_bytes(msgspec.json.encode(value))
    return name


def har_of(url: str, **headers: str) -> dict[str, object]:
    named = [{"name": name, "value": value} for name, value in headers.items()]
    return {"log": {"entries": [{"request": {"method": "GET", "url": url, "headers": named}}]}}


def test_a_har_is_imported_and_a_chat_uses_it(inside: Inside, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    har = har_of(f"{url}/v4/api/user?uuid=U-7&device_id=D-7", token="emulated-token", cookie="seen=1")
    result = inside.run("login", "hailuo", "--import", write("login.har", har), "--base-url", url)
    assert (result.code, result.err) == (0, f"stored the login for Hailuo AI at {url}\n")
    assert inside.run("chat", "-m", "hailuo", "--base-url", url, "hi").code == 0
    asked = emulators.requests[-1]
    assert "uuid=U-7&device_id=D-7&" in asked.target
    assert "cookie" in [name.lower() for name in asked.header_names]


def test_cookies_are_imported_together_with_a_token(inside: Inside) -> None:
    cookies = write("cookies.json", [{"name": "a", "value": "C-1", "domain": ".hailuo.ai", "hostOnly": False}])
    alone = inside.run("login", "hailuo", "--import", cookies)
    assert (alone.code, alone.err) == (
        2,
        "modelwire: there is no login to Hailuo AI in the file: it has only cookies:"
        " supply the token as well, or import a HAR\nTo supply the token as well: --token-stdin\n",
    )
    both = inside.run("login", "hailuo", "--import", cookies, "--token-stdin", typed=b"T-12345678\n")
    assert both.code == 0
    assert stored(inside)["token"] == "T-12345678"
    assert [cookie["value"] for cookie in stored(inside)["cookies"]] == ["C-1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is neither a HAR nor a JSON export of cookies"),
        (b'{"log": {"entries": [{"request": {"url": "S-secret', "the file is damaged or incomplete: export it again"),
        (
            b'{"log": {"entries": "S-secret"}}',
            "the file does not have the shape of a browser's export: Expected `array`",
        ),
        (
            msgspec.json.encode(har_of(SITE, token="S secret")),
            "the token contains a character that is not allowed there",
        ),
        (msgspec.json.encode(har_of(SITE)), "there is no login to Hailuo AI in the file: none of its 1 requests to"),
    ],
)
def test_a_file_without_a_login_is_refused_and_not_shown(inside: Inside, content: bytes, message: str) -> None:
    Path("file").write_bytes(content)
    result = inside.run("login", "hailuo", "--import", "file")
    assert (result.code, len(result.notes)) == (2, 1)
    assert result.err.startswith(f"modelwire: {message}")
    assert "secret" not in result.err
    assert not inside.home.data.exists()


def test_a_key_cannot_be_imported(inside: Inside) -> None:
    result = inside.run("login", "arta", "--import", write("login.har", har_of(SITE)))
    assert (result.code, result.err) == (
        2,
        "modelwire: ARTA has no page to log in on: supply your own api key\n",
    )


# Stored logins.


def test_stored_logins_are_listed_and_never_shown(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert inside.run("auth").err == "no logins\n"
    assert inside.run("auth", "--json").out == ""
    inside.run("login", "hailuo", "--token-stdin", typed=b"T-12345678")
    inside.run("login", "hailuo", "--token-stdin", "--base-url", "http://127.0.0.1:9/h/", typed=b"T-87654321")
    inside.run("login", "arta", "--token-stdin", typed=b"K-12345678")
    text, lines = inside.run("auth"), inside.run("auth", "--json")
    assert [line.split() for line in text.out.splitlines()] == [
        ["arta", "0", "s", "https://ai-arta.com"],
        ["hailuo", "0", "s", "http://127.0.0.1:9/h"],
        ["hailuo", "0", "s", SITE],
    ]
    assert text.err == f"To forget one: modelwire logout PROVIDER. The files are in {inside.home.data}\n"
    entries = [msgspec.json.decode(line) for line in lines.out.splitlines()]
    assert [entry["provider"] for entry in entries] == ["arta", "hailuo", "hailuo"]
    assert entries[0].keys() == {"provider", "address", "since"}
    assert abs(entries[0]["since"] - time.time()) < 60
    assert not any(secret in text.out + lines.out for secret in ("12345678", "87654321"))
    later = time.time() + 3 * 86400
    monkeypatch.setattr(time, "time", lambda: later)
    assert inside.run("auth").out.split()[:3] == ["arta", "3", "d"]


def test_the_age_of_a_login_of_an_earlier_release_is_unknown(inside: Inside) -> None:
    inside.run("login", "hailuo", "--token-stdin", typed=b"T-1")
    path = inside.home.data / "hailuo.json"
    content = msgspec.json.decode(path.read_bytes())
    del content["saved"]
    path.write_bytes(msgspec.json.encode(content))
    assert inside.run("auth").out.split() == ["hailuo", "?", SITE]
    assert msgspec.json.decode(inside.run("auth", "--json").out)["since"] is None


def test_a_damaged_file_of_logins_is_named(inside: Inside) -> None:
    inside.run("login", "hailuo", "--token-stdin", typed=b"T-1")
    path = inside.home.data / "hailuo.json"
    path.write_bytes(b"{")
    for words in (("auth",), ("logout", "hailuo")):
        result = inside.run(*words)
        assert (result.code, result.err) == (
            1,
            f"modelwire: {path} is damaged: repair it, or delete it to start over\n",
        )


def test_a_login_is_forgotten_only_at_its_address(inside: Inside) -> None:
    there = ("--base-url", "http://127.0.0.1:9/h")
    inside.run("login", "hailuo", "--token-stdin", typed=b"T-1")
    inside.run("login", "hailuo", "--token-stdin", *there, typed=b"T-2")
    assert inside.run("logout", "Hailuo").notes == [f"forgot the login to Hailuo AI at {SITE}"]
    assert inside.run("auth").out.split()[-1] == "http://127.0.0.1:9/h"
    again = inside.run("logout", "hailuo")
    assert (again.code, again.notes) == (
        0,
        [
            f"nothing is stored for Hailuo AI at {SITE}",
            "there is a login for another address: modelwire logout hailuo --base-url http://127.0.0.1:9/h",
        ],
    )
    assert inside.run("logout", "hailuo", *there).notes == ["forgot the login to Hailuo AI at http://127.0.0.1:9/h"]
    assert inside.run("auth").notes == ["no logins"]


def test_logout_keeps_the_messages_of_the_conversation(inside: Inside, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    inside.run("login", "hailuo", "--token-stdin", "--base-url", url, typed=b"emulated-token")
    assert inside.run("chat", "-m", "hailuo", "--base-url", url, "My name is Ada.").code == 0
    path = inside.home.state / "hailuo.json"
    assert "emulated-token" in path.read_text(encoding="utf-8")
    assert inside.run("logout", "hailuo", "--base-url", url).code == 0
    assert "emulated-token" not in path.read_text(encoding="utf-8")
    inside.run("login", "hailuo", "--token-stdin", "--base-url", url, typed=b"emulated-token")
    again = inside.run("chat", "-c", "-m", "hailuo", "--base-url", url, "What is my name?")
    assert again.code == 0
    assert "My name is Ada." in again.out, "the new chat holds the earlier messages"


def test_an_expired_login_is_reported_with_the_command_to_type(inside: Inside, emulators: EmulatorServer) -> None:
    url = emulators.providers["hailuo"]
    inside.run("login", "hailuo", "--token-stdin", "--base-url", url, typed=b"T-expired-long-ago")
    result = inside.run("chat", "-m", "hailuo", "--base-url", url, "hi")
    assert result.code == 1
    again = f"modelwire login hailuo --base-url {url}"
    assert result.notes == [
        f"Hailuo AI requires a login: {url}",
        "modelwire: Hailuo AI no longer accepts the login: log in again",
        f"To log in: {again}. To try it with the emulator: --emulate",
    ]
