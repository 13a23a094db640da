"""Private files: only the user can read them (mode 0600, in a directory of mode 0700), and each write is atomic."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from modelwire.errors import ModelwireError


class PrivateFileError(ModelwireError):
    """A private file cannot be read or written safely. The message names the file, the reason and what to do."""


def make_private_directory(directory: Path) -> None:
    """Make a private directory, or make an existing one private.

    Raises `PrivateFileError` if it is a link, belongs to another user, or can be written by others.
    """
    try:
        if not directory.is_symlink():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private_directory(directory)
        if os.name == "posix" and stat.S_IMODE(directory.stat().st_mode) & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise PrivateFileError(f"cannot make the directory {directory}: {error.strerror}") from None


def check_private_directory(directory: Path) -> None:
    """Check that no other user can have put files into a directory. It need not exist.

    Raises `PrivateFileError` if it is a link, belongs to another user, or can be written by others.
    """
    try:
        status = directory.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise PrivateFileError(f"cannot use the directory {directory}: {error.strerror}") from None
    if stat.S_ISLNK(status.st_mode):
        raise PrivateFileError(f"cannot use the directory {directory}: it is a symbolic link; move it away")
    if not stat.S_ISDIR(status.st_mode):
        raise PrivateFileError(f"cannot use the directory {directory}: it is a file; move it away")
    _check_owner(directory, status, 0o700)


def read_private(path: Path) -> bytes | None:
    """Return the content of a private file, or None if it does not exist.

    Raises `PrivateFileError` if it is a link, belongs to another user, or can be written by others.
    """
    # O_NONBLOCK, because opening a named pipe would wait for its other end.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        # The error that O_NOFOLLOW gives for a link: ELOOP in POSIX, EMLINK on FreeBSD.
        is_link = error.errno in (errno.ELOOP, errno.EMLINK)
        reason = "it is a symbolic link" if is_link else error.strerror
        raise PrivateFileError(f"cannot read {path}: {reason}; move it away") from None
    try:
        status = os.fstat(descriptor)
        if os.name == "posix" and not stat.S_ISREG(status.st_mode):
            raise PrivateFileError(f"cannot use {path}: it is not a regular file; move it away")
        _check_owner(path, status, 0o600)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise PrivateFileError(f"cannot read {path}: {error.strerror}; move it away") from None
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes) -> None:
    """Replace a private file, and make its directory private. The file holds the old content or the new at any time."""
    make_private_directory(path.parent)
    replace_private(path, content)


def replace_private(path: Path, content: bytes) -> None:
    """Replace a private file like `write_private`, but leave its directory as it is."""
    if path.is_symlink():
        raise PrivateFileError(f"cannot write {path}: it is a symbolic link; move it away")
    if path.exists() and not path.is_file():
        raise PrivateFileError(f"cannot write {path}: it is not a regular file")
    temporary: str | None = None
    try:
        # mkstemp makes the file with mode 0600.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise PrivateFileError(f"cannot write {path}: {error.strerror}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove temporary files of processes that were killed while writing `path`. No process may be writing it now."""
    try:
        for leftover in path.parent.glob(f".{path.name}.*"):
            leftover.unlink(missing_ok=True)
    except OSError as error:
        raise PrivateFileError(f"cannot write {path}: {error.strerror}") from None


def _check_owner(path: Path, status: os.stat_result, mode: int) -> None:
    if os.name != "posix":
        return
    if status.st_uid != os.geteuid():
        raise PrivateFileError(f"cannot use {path}: it belongs to another user; move it away")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PrivateFileError(f"cannot use {path}: others can write it; make it private (mode {mode:o})")
