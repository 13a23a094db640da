"""Credentials are stored by provider and origin. No other process, crash or damaged file loses any."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import filelock
import msgspec
import pytest

import killed_writer
from command_line import PATIENCE, Home
from modelwire.json import JsonObject
from modelwire_io.store import FileStore, MemoryStore, PrivateFileError, credentials
from modelwire_io.store.credentials import Store, conversations_directory, credentials_directory

HERE, THERE = "https://here.example", "http://127.0.0.1:8080/hailuo"
TOKEN: JsonObject = {"token": "T-1", "cookies": [{"name": "a", "value": "b"}], "issued_at": 1.5, "uuid": "Zürich 雪"}

DAMAGED = {
    "empty": b"",
    "cut off": b'{"version": 1, "origins": {"https://here.example": {"tok',
    "not JSON": b"token=T-1\n",
    "not UTF-8": b'{"version": 1, "origins": {"\xff": {}}}',
    "a list": b"[]",
    "an empty object": b"{}",
    "another shape": b'{"version": 1, "accounts": []}',
    "wrong types": b'{"version": 1, "origins": {"https://here.example": "T-1"}}',
    "a version in words": b'{"version": "one", "origins": {}}',
    "deep": b'{"version": 1, "origins": ' + b'{"a":' * 100_000,
}
FOREIGN = {
    "newer": b'{"version": 2, "origins": {"https://here.example": {"token": "T-1"}}}',
    "another shape": b'{"version": 2, "accounts": []}',
    "wrong types": b'{"version": 3, "origins": []}',
}


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "credentials")


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_objects_are_stored_by_provider_and_origin(store: FileStore, kind: str) -> None:
    used: Store = store if kind == "file" else MemoryStore()
    assert used.load("hailuo", HERE) is None
    used.save("hailuo", HERE, TOKEN)
    used.save("hailuo", THERE, {"token": "T-2"})
    used.save("fakegpt", HERE, {"token": "T-3"})
    assert used.load("hailuo", HERE) == TOKEN
    assert used.load("hailuo", THERE) == {"token": "T-2"}
    assert used.load("fakegpt", HERE) == {"token": "T-3"}
    assert used.load("fakegpt", THERE) is None
    used.save("hailuo", HERE, {"token": "T-4"})
    used.save("fakegpt", THERE, None)
    used.save("fakegpt", HERE, None)
    assert used.load("hailuo", HERE) == {"token": "T-4"}
    assert used.load("hailuo", THERE) == {"token": "T-2"}
    assert used.load("fakegpt", HERE) is None


def test_a_file_store_has_private_files_and_no_others(store: FileStore) -> None:
    store.save("hailuo", HERE, TOKEN)
    written = msgspec.json.decode(store.path("hailuo").read_bytes())
    assert abs(written.pop("saved").pop(HERE) - time.time()) < 60
    assert written == {"version": 1, "origins": {HERE: TOKEN}}
    store.save("hailuo", THERE, TOKEN)
    store.save("hailuo", HERE, None)
    assert list(msgspec.json.decode(store.path("hailuo").read_bytes())["saved"]) == [THERE]
    store.save("hailuo", THERE, None)
    store.save("hailuo", HERE, TOKEN)
    assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700
    files = sorted(store.directory.iterdir())
    # The lock file may stay: another process may have locked it.
    assert {path.name for path in files} <= {".hailuo.lock", "hailuo.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert FileStore(store.directory).load("hailuo", HERE) == TOKEN


def test_loading_creates_no_directory(store: FileStore) -> None:
    assert store.load("hailuo", HERE) is None
    assert not store.directory.exists()


def refused(store: FileStore, content: bytes, reason: str) -> None:
    """Assert that loading and saving refuse a file with this content and do not change it."""
    path = store.path("hailuo")
    store.directory.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    uses: list[Callable[[], object]] = [
        lambda: store.load("hailuo", HERE),
        lambda: store.save("hailuo", HERE, TOKEN),
        lambda: store.save("hailuo", HERE, None),
    ]
    for use in uses:
        with pytest.raises(PrivateFileError) as caught:
            use()
        assert str(caught.value) == f"{path} {reason}"
    assert path.read_bytes() == content
    store.save("fakegpt", HERE, TOKEN)
    path.unlink()
    store.save("hailuo", HERE, TOKEN)
    assert store.load("hailuo", HERE) == TOKEN


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_not_overwritten(store: FileStore, content: bytes) -> None:
    refused(store, content, "is damaged: repair it, or delete it to start over")


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_a_file_of_another_release_is_not_overwritten(store: FileStore, content: bytes) -> None:
    refused(store, content, "was written by another release of modelwire: delete it to start over")


@pytest.mark.parametrize("trap", ["link", "folder", "open to others"])
def test_a_file_that_is_not_safe_to_use_is_not_changed(store: FileStore, tmp_path: Path, trap: str) -> None:
    path = store.path("hailuo")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b'{"version": 1, "origins": {}}')
    elsewhere.chmod(0o666)
    store.directory.mkdir()
    if trap == "link":
        path.symlink_to(elsewhere)
    elif trap == "folder":
        path.mkdir()
    else:
        elsewhere.rename(path)
    uses: list[Callable[[], object]] = [
        lambda: store.load("hailuo", HERE),
        lambda: store.save("hailuo", HERE, TOKEN),
    ]
    for use in uses:
        with pytest.raises(PrivateFileError, match=str(path)):
            use()
    assert not any(b"T-1" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_file_in_a_directory_that_is_not_safe_to_use_is_not_read(store: FileStore) -> None:
    store.save("hailuo", HERE, TOKEN)
    store.directory.chmod(0o770)
    uses: list[Callable[[], object]] = [
        lambda: store.load("hailuo", HERE),
        lambda: list(store.entries()),
        lambda: store.save("hailuo", HERE, None),
        lambda: store.lock("hailuo", HERE).acquire(0),
    ]
    for use in uses:
        with pytest.raises(
            PrivateFileError, match=rf"{store.directory}: others can write it; make it private \(mode 700\)$"
        ):
            use()
    store.directory.chmod(0o700)
    assert store.load("hailuo", HERE) == TOKEN


def test_a_crash_while_writing_loses_nothing(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save("hailuo", HERE, TOKEN)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(KeyboardInterrupt):
            store.save("hailuo", THERE, {"token": "T-2"})
    assert store.load("hailuo", HERE) == TOKEN
    assert store.load("hailuo", THERE) is None
    assert not [path for path in store.directory.iterdir() if path.name not in (".hailuo.lock", "hailuo.json")]
    store.save("hailuo", THERE, {"token": "T-2"})
    assert store.load("hailuo", HERE) == TOKEN


def test_a_lock_of_another_process_is_waited_for(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "LOCK_TIMEOUT", 0.05)
    store.save("hailuo", HERE, TOKEN)
    with filelock.FileLock(store.directory / ".hailuo.lock"):
        with pytest.raises(
            PrivateFileError, match=f"^another process has locked {store.path('hailuo')} for more than 0.05"
        ):
            store.save("hailuo", HERE, None)
        store.save("fakegpt", HERE, TOKEN)
        assert store.load("hailuo", HERE) == TOKEN


def test_a_lock_that_cannot_be_taken_is_named(store: FileStore) -> None:
    (store.directory / ".hailuo.lock").mkdir(parents=True)
    with pytest.raises(PrivateFileError, match=f"^cannot lock {store.path('hailuo')}: "):
        store.save("hailuo", HERE, TOKEN)


_SAVER = """
import sys
from pathlib import Path
from modelwire_io.store import FileStore
store = FileStore(Path(sys.argv[1]))
sys.stdin.read()
for number in range(20):
    store.save("hailuo", f"https://{sys.argv[2]}-{number}.example", {"token": sys.argv[2] * 500})
"""


def test_processes_that_save_at_once_keep_the_changes_of_each_other(store: FileStore, tmp_path: Path) -> None:
    environment = Home(tmp_path / "home").environment({})
    savers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _SAVER, str(store.directory), name],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        for name in "abcd"
    ]
    # Each saver waits until its stdin is closed, so that all of them run by then.
    for saver in savers:
        assert saver.stdin is not None
        saver.stdin.close()
        saver.stdin = None
    for saver in savers:
        _, output = saver.communicate(timeout=PATIENCE)
        assert (saver.returncode, output) == (0, b"")
    origins = msgspec.json.decode(store.path("hailuo").read_bytes())["origins"]
    assert origins == {f"https://{name}-{i}.example": {"token": name * 500} for name in "abcd" for i in range(20)}
    assert sorted(path.name for path in store.directory.iterdir()) in (["hailuo.json"], [".hailuo.lock", "hailuo.json"])


# Writers that are killed.


def writer(home: Path, how: str, directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, killed_writer.__file__, how, str(directory)],
        stdout=subprocess.PIPE,
        env=Home(home).environment({}),
    )


def check_after_kill(store: FileStore) -> str:
    """Assert that the file is whole, private and writable. Returns `old` or `new`, for the value that it holds."""
    path = store.path("arta")
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(store.directory.stat().st_mode)) == (0o600, 0o700)
    assert {stat.S_IMODE(file.stat().st_mode) for file in store.directory.iterdir()} == {0o600}
    stored = store.load("arta", killed_writer.ORIGIN)
    assert stored is not None
    token: str = stored["token"]
    assert token in ("old" * 1000, "new" * 1000)
    assert [entry.provider for entry in store.entries()] == ["arta"]
    store.save("arta", killed_writer.ORIGIN, None)
    left = [file.name for file in store.directory.iterdir() if not file.name.endswith(".lock")]
    assert left == ["arta.json"]
    assert not any(token.encode() in file.read_bytes() for file in store.directory.iterdir())
    return token[:3]


def test_a_writer_that_is_killed_at_any_moment_leaves_the_old_or_the_new(store: FileStore, tmp_path: Path) -> None:
    for number in range(4):
        with writer(tmp_path / f"home{number}", "for-ever", store.directory) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"saved\n"
            # Read the file a few times, so that the process is killed at a different moment each time.
            for _ in range(1 + 7 * number):
                store.load("arta", killed_writer.ORIGIN)
            process.kill()
        check_after_kill(store)


def test_a_writer_that_is_killed_before_any_of_its_calls_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    directory = tmp_path / "credentials"
    with writer(tmp_path / "home", "each-call", directory) as process:
        output, _ = process.communicate(timeout=PATIENCE)
    calls = int(output)
    stores = [FileStore(directory / f"{number:03}") for number in range(calls)]
    assert any(list(store.directory.glob(".arta.json.*")) for store in stores)
    left = [check_after_kill(store) for store in stores]
    assert left == sorted(left, reverse=True)
    assert set(left) == {"old", "new"}


def test_the_directories_are_in_the_users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    for name, value in home.variables.items():
        monkeypatch.setenv(name, value)
    assert (credentials_directory(), conversations_directory()) == (home.data, home.state)
