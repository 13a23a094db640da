"""Credentials that are piped in, and the files that store them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from command_line import Inside, files_in

INVALID = "contains a blank or another invalid character: copy it again"


def test_a_token_is_stored_in_a_private_file(inside: Inside) -> None:
    result = inside.run("login", "Hailuo", "--token-stdin", typed=b" T-1\n")
    assert (result.code, result.out) == (0, "")
    assert result.err == "stored the token for Hailuo AI at https://www.hailuo.ai\n"
    inside.run("login", "hailuo", "--token-stdin", "--base-url", "http://127.0.0.1:9/h/", typed=b"T-2")
    path = inside.home.data / "hailuo.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    content = msgspec.json.decode(path.read_bytes())
    assert content["version"] == 1
    tokens = {origin: stored["token"] for origin, stored in content["origins"].items()}
    assert tokens == {"https://www.hailuo.ai": "T-1", "http://127.0.0.1:9/h": "T-2"}


def test_all_credentials_may_be_given_as_json(inside: Inside) -> None:
    values = {"token": "T", "uuid": "U", "device_id": "D", "cpu_core_num": 4}
    assert inside.run("login", "hailuo", "--token-stdin", typed=msgspec.json.encode(values)).code == 0
    content = msgspec.json.decode((inside.home.data / "hailuo.json").read_bytes())
    assert content["origins"]["https://www.hailuo.ai"].items() >= values.items()


@pytest.mark.parametrize(
    ("provider", "typed", "message"),
    [
        ("hailuo", b" \n", "the token is empty; see: "),
        ("hailuo", b"two words", f"the token {INVALID}"),
        ("hailuo", b"T\x1b[31m", f"the token {INVALID}"),
        ("arta", "K-→".encode(), f"the api key {INVALID}"),
        ("hailuo", b'{"token": "T"', "the input looks like JSON but does not parse: "),
        ("hailuo", b'{"a":' * 100_000, "the input looks like JSON but does not parse: "),
        ("hailuo", b'{"tokn": "T"}', "the JSON has no token"),
        ("arta", b'{"apikey": "K-secret"}', "the JSON has no api_key"),
        ("hailuo", b'{"token": "T", "cpu_core_num": "K-secret"}', "the credentials do not fit: "),
    ],
)
def test_a_wrong_token_is_refused_and_not_shown(inside: Inside, provider: str, typed: bytes, message: str) -> None:
    result = inside.run("login", provider, "--token-stdin", typed=typed)
    assert (result.code, result.out, len(result.notes)) == (2, "", 1)
    assert result.err.startswith(f"modelwire: {message}")
    assert "K-secret" not in result.err
    assert files_in(inside.home.path) == []


WHOLE = b'{"version": 1, "origins": {"https://www.hailuo.ai": {"token": "K-secret"}}}'
START_OVER = "{path} is damaged: repair it, or delete it to start over"
CANNOT_USE = {
    "empty": (b"", START_OVER),
    "no JSON": (b"token=K-secret", START_OVER),
    "another shape": (b'{"version": 1, "origins": ["K-secret"]}', START_OVER),
    "another release": (
        b'{"version": 9}',
        "{path} was written by another release of modelwire: delete it to start over",
    ),
    "a link": (WHOLE, "cannot read {path}: it is a symbolic link; move it away"),
    "a folder": (b"", "cannot use {path}: it is not a regular file; move it away"),
    "open to others": (WHOLE, "cannot use {path}: others can write it; make it private (mode 600)"),
    "of another user": (WHOLE, "cannot use {path}: it belongs to another user; move it away"),
    "in a link": (WHOLE, "cannot use the directory {folder}: it is a symbolic link; move it away"),
    "in an open folder": (WHOLE, "cannot use {folder}: others can write it; make it private (mode 700)"),
    "in a folder of another user": (WHOLE, "cannot use {folder}: it belongs to another user; move it away"),
}


def make_unusable(state: str, path: Path, content: bytes) -> None:
    """Make a file of credentials that cannot be used."""
    folder, elsewhere = path.parent, path.parent.parent / "elsewhere"
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    if state == "a folder":
        path.mkdir()
        return
    path.write_bytes(content)
    path.chmod(0o666 if state == "open to others" else 0o600)
    if state == "a link":
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
    elif state == "in a link":
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)
    elif state == "in an open folder":
        folder.chmod(0o770)
    elif state == "of another user":
        os.chown(path, 1, 1)
    elif state == "in a folder of another user":
        os.chown(folder, 1, 1)


@pytest.mark.parametrize("state", CANNOT_USE)
def test_an_unusable_file_of_credentials_is_named_and_left_alone(inside: Inside, state: str) -> None:
    if state.endswith("of another user") and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    content, message = CANNOT_USE[state]
    path = inside.home.data / "hailuo.json"
    make_unusable(state, path, content)
    before = [(file, file.lstat()[:6]) for file in sorted(inside.home.path.rglob("*"))]
    for words in (("chat", "-m", "hailuo", "hi"), ("login", "hailuo", "--token-stdin"), ("logout", "hailuo")):
        result = inside.run(*words, typed=b"T-1")
        assert (result.code, result.out) == (1, "")
        assert result.err == f"modelwire: {message.format(path=path, folder=path.parent)}\n"
    assert path.is_dir() or path.read_bytes() == content
    files = [
        (file, file.lstat()[:6]) for file in sorted(inside.home.path.rglob("*")) if not file.name.endswith(".lock")
    ]
    assert files == before


def test_an_empty_file_of_credentials_is_named_and_left_alone(user: Inside) -> None:
    path = user.home.data / "hailuo.json"
    path.write_bytes(b"")
    for words in (("chat", "-m", "hailuo", "hi"), ("login", "hailuo", "--token-stdin")):
        result = user.run(*words, typed=b"T-1")
        assert (result.code, result.out) == (1, "")
        assert result.err == f"modelwire: {path} is damaged: repair it, or delete it to start over\n"
    assert path.read_bytes() == b""
