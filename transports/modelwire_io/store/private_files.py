"""Files that are nobody else's business: 0600 in a 0700 directory, written whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from modelwire.errors import ModelwireError


class PrivateFileError(ModelwireError):
    """A private file cannot be read or written safely; the message says which, why, and what to do."""


def make_private_directory(directory: Path) -> None:
    """Make sure that there is such a directory, and that it is ours alone; one that others can read is closed to them.

    Raises `PrivateFileError` for a link, for a directory of another user, and for one that others can write.
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
    """See that nobody else could have put files into a directory; it need not be there.

    Raises `PrivateFileError` for a link, for a directory of another user, and for one that others can write.
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
    """The content of a private file, or None where there is none.

    Raises `PrivateFileError` for a link, for a file of another user, and for one that others can write.
    """
    # Not blocking: to open a named pipe would wait for its other end.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        # What O_NOFOLLOW says of a link: ELOOP in POSIX, EMLINK on FreeBSD.
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
    """Replace a private file: whoever reads it, and however this ends, it holds the old content or the new."""
    make_private_directory(path.parent)
    replace_private(path, content)


def replace_private(path: Path, content: bytes) -> None:
    """The same in a directory of the user's choice, which is left as it is."""
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
    """Remove what was left by those who were killed while they wrote `path`. Nobody else may be writing it."""
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
        raise PrivateFileError(f"cannot use {path}: others can write it; make it private with: chmod {mode:o} {path}")
