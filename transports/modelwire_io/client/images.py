"""An image, and how it is saved as a file."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import msgspec

from modelwire.errors import InvalidInput

_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
# Number: the most files of one name in a folder. More are a sign of a loop.
_MAX_NAMESAKES = 10_000


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One image: its URL, its bytes, its media type. `stem` is the name of its file without the extension."""

    url: str
    data: bytes
    media_type: str
    stem: str

    def __repr__(self) -> str:
        return f"Image(url={self.url!r}, data=<{len(self.data)} bytes>, media_type={self.media_type!r})"

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write the image to a new file in `directory`, which is made if needed, and return its path.

        No file is overwritten, and the file appears only once it is whole. Raises `InvalidInput` if the directory
        cannot be written.
        """
        folder = Path(directory)
        make_folder(folder)
        try:
            return self._save(folder)
        except OSError as error:
            raise _cannot_save(folder, error) from None

    def _save(self, folder: Path) -> Path:
        temporary = folder / f".modelwire-{secrets.token_hex(8)}.part"
        try:
            # The user's umask decides the mode.
            with open(temporary, "xb") as file:
                file.write(self.data)
            return self._publish(folder, temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def _publish(self, folder: Path, temporary: Path) -> Path:
        """Give a finished file the first free name."""
        stem, extension = safe_name(self.stem), _EXTENSIONS.get(self.media_type, "bin")
        for number in range(1, _MAX_NAMESAKES):
            path = folder / (f"{stem}.{extension}" if number == 1 else f"{stem}-{number}.{extension}")
            try:
                _rename(temporary, path)
            except FileExistsError:
                continue
            return path
        raise InvalidInput(f"there are too many files named {stem} in {folder}: choose another folder")


def safe_name(text: str) -> str:
    """A file name made of `text`: letters, digits, dots and dashes, never hidden, never a path."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-_")[:80] or "image"


def make_folder(folder: Path) -> None:
    """Make sure that images can be saved in `folder`. Raises `InvalidInput` if they cannot."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_save(folder, error) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(f"cannot save an image in {folder}: you may not write there; choose another folder")


def _cannot_save(folder: Path, error: OSError) -> InvalidInput:
    reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror or str(error)
    return InvalidInput(f"cannot save an image in {folder}: {reason}; choose another folder")


def _rename(old: Path, new: Path) -> None:
    """Rename a file. Raises `FileExistsError` if the name is taken: nothing is overwritten."""
    try:
        os.link(old, new)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links, such as that of a memory card: reserve the name, then replace it.
        open(new, "xb").close()
        try:
            os.replace(old, new)
        except BaseException:
            new.unlink()
            raise
