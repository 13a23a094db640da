"""Private files: atomic writes, modes 0600 and 0700, and no file that other users could have changed."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelwire_io.store import PrivateFileError, private_files
from modelwire_io.store.private_files import (
    check_private_directory,
    make_private_directory,
    read_private,
    remove_leftovers,
    write_private,
)

OLD, NEW = b"the old content", b"the new content"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Crash(BaseException):
    """The end of the process: only `finally` blocks run."""


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def test_a_written_file_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "modelwire" / "key.json"
    assert read_private(path) is None
    write_private(path, OLD)
    assert read_private(path) == OLD
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    write_private(path, NEW)
    assert read_private(path) == NEW
    assert mode(path) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o027])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_private(tmp_path / "private" / "file", NEW)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "private"), mode(tmp_path / "private" / "file")) == (0o700, 0o600)


def test_a_directory_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    make_private_directory(folder)
    assert mode(folder) == 0o700
    write_private(folder / "file", OLD)
    (folder / "file").chmod(0o644)
    write_private(folder / "file", NEW)
    assert mode(folder / "file") == 0o600


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Crash()], ids=["error", "crash"])
@pytest.mark.parametrize("step", ["mkstemp", "fdopen", "fsync", "replace"])
@pytest.mark.parametrize("before", [None, OLD], ids=["nothing", "old"])
def test_a_write_that_fails_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException, before: bytes | None
) -> None:
    path = tmp_path / "private" / "file"
    make_private_directory(path.parent)
    if before is not None:
        write_private(path, before)
    expected = Crash if isinstance(error, Crash) else PrivateFileError
    with monkeypatch.context() as patch:
        patch.setattr(tempfile if step == "mkstemp" else os, step, failing(error))
        with pytest.raises(expected) as caught:
            write_private(path, NEW)
    if expected is PrivateFileError:
        assert str(caught.value) == f"cannot write {path}: No space left on device"
    assert read_private(path) == before
    assert list(path.parent.iterdir()) == ([] if before is None else [path])
    write_private(path, NEW)
    assert read_private(path) == NEW


def test_a_crash_after_a_write_leaves_the_new_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "private" / "file"
    write_private(path, OLD)
    replace = os.replace

    def replace_and_crash(source: str, target: Path) -> None:
        replace(source, target)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_and_crash)
        with pytest.raises(Crash):
            write_private(path, NEW)
    assert read_private(path) == NEW
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_never_sees_an_incomplete_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step of a write, a reader gets the whole old content or the whole new content."""
    path = tmp_path / "private" / "file"
    write_private(path, OLD)
    seen: list[bytes | None] = []

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def watch(*arguments: Any, **named: Any) -> Any:
            seen.append(path.read_bytes())
            result = call(*arguments, **named)
            seen.append(path.read_bytes())
            return result

        return watch

    with monkeypatch.context() as patch:
        for module, name in ((tempfile, "mkstemp"), (os, "fsync"), (os, "replace")):
            patch.setattr(module, name, watched(getattr(module, name)))
        write_private(path, NEW)
    assert seen == [OLD] * 5 + [NEW]


def test_a_link_is_neither_followed_nor_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(OLD)
    target.chmod(0o600)
    link = tmp_path / "private" / "link"
    link.parent.mkdir()
    link.symlink_to(target)
    with pytest.raises(PrivateFileError, match=f"^cannot read {link}: it is a symbolic link; move it away$"):
        read_private(link)
    with pytest.raises(PrivateFileError, match=f"^cannot write {link}: it is a symbolic link; move it away$"):
        write_private(link, NEW)
    assert target.read_bytes() == OLD
    assert link.is_symlink()
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(PrivateFileError, match="symbolic link"):
        read_private(link)


@pytest.mark.parametrize("others", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, others: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    path.chmod(others)
    with pytest.raises(
        PrivateFileError, match=rf"^cannot use {path}: others can write it; make it private \(mode 600\)$"
    ):
        read_private(path)
    path.chmod(0o600)
    assert read_private(path) == OLD


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_private(path, OLD)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(PrivateFileError, match=f"^cannot use {path}: it belongs to another user; move it away$"):
        read_private(path)


def refused_directory(folder: Path, reason: str) -> None:
    """Assert that reading and writing refuse a directory and do not change it."""
    before = folder.lstat().st_mode
    uses: list[Callable[[], object]] = [
        lambda: check_private_directory(folder),
        lambda: make_private_directory(folder),
        lambda: write_private(folder / "file", NEW),
    ]
    for use in uses:
        with pytest.raises(PrivateFileError) as caught:
            use()
        assert str(caught.value) == f"cannot use {reason}"
    assert folder.lstat().st_mode == before
    assert not folder.is_dir() or list(folder.iterdir()) == []


def test_a_directory_that_is_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    target, link, dangling, file = (tmp_path / name for name in ("target", "link", "dangling", "file"))
    target.mkdir(mode=0o700)
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "nowhere")
    file.write_bytes(OLD)
    for path in (link, dangling):
        refused_directory(path, f"the directory {path}: it is a symbolic link; move it away")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(PrivateFileError, match=f"^cannot use the directory {file}: it is a file; move it away$"):
        check_private_directory(file)


@pytest.mark.parametrize("others", [0o720, 0o702, 0o777, 0o1777])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, others: int) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(others)
    refused_directory(folder, f"{folder}: others can write it; make it private (mode 700)")
    folder.chmod(0o700)
    write_private(folder / "file", NEW)


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: folder.stat().st_uid + 1)
    refused_directory(folder, f"{folder}: it belongs to another user; move it away")


def test_a_directory_that_does_not_exist_is_safe(tmp_path: Path) -> None:
    check_private_directory(tmp_path / "nowhere" / "at all")
    (tmp_path / "file").write_bytes(OLD)
    check_private_directory(tmp_path / "file" / "folder")


def test_a_directory_that_cannot_be_checked_is_named(tmp_path: Path) -> None:
    name = tmp_path / ("x" * 300)
    with pytest.raises(PrivateFileError, match=f"^cannot use the directory {name}: File name too long$"):
        check_private_directory(name)


def test_only_temporary_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "private" / "a.json"
    write_private(path, OLD)
    others = [path.parent / name for name in (".b.json.x1", "a.json.x1", ".a.lock", "b.json")]
    for file in (*others, path.parent / ".a.json.x1", path.parent / ".a.json.x2"):
        file.write_bytes(NEW)
    remove_leftovers(path)
    assert set(path.parent.iterdir()) == {path, *others}
    (path.parent / ".a.json.folder").mkdir()
    with pytest.raises(PrivateFileError, match=f"^cannot write {path}: "):
        remove_leftovers(path)


def test_a_folder_or_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe, 0o600)
    for path in (folder, pipe):
        with pytest.raises(PrivateFileError, match=f"^cannot use {path}: it is not a regular file; move it away$"):
            read_private(path)
    with pytest.raises(PrivateFileError, match=f"^cannot write {folder}: "):
        write_private(folder, NEW)
    assert sorted(tmp_path.iterdir()) == [folder, pipe]


def test_a_refused_file_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with pytest.raises(PrivateFileError):
            read_private(folder)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_a_file_that_cannot_be_opened_or_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    path = tmp_path / "file"
    write_private(path, OLD)
    for name in ("open", "fdopen"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing(error))
            with pytest.raises(PrivateFileError) as caught:
                read_private(path)
        assert str(caught.value) == f"cannot read {path}: {error.strerror}; move it away"


def test_a_directory_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / "folder"
    with pytest.raises(PrivateFileError, match=f"^cannot make the directory {folder}: Not a directory$"):
        write_private(folder / "key", NEW)


def test_owners_and_modes_are_checked_on_posix_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    path.chmod(0o666)
    tmp_path.chmod(0o755)

    class Elsewhere:
        name = "nt"

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

    monkeypatch.setattr(private_files, "os", Elsewhere())
    assert read_private(path) == OLD
    make_private_directory(tmp_path)
    assert mode(tmp_path) == 0o755
