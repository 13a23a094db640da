"""An image that was made, and how it becomes a file."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import msgspec

from modelwire.errors import InvalidInput

_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp"}
# How many files of one name may lie in a folder before something is wrong with it.
_MOST_NAMESAKES = 10_000


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One image: where it came from, its bytes, its media type. `stem` is what its file will be called."""

    url: str
    data: bytes
    media_type: str
    stem: str

    def __repr__(self) -> str:
        return f"Image(url={self.url!r}, data=<{len(self.data)} bytes>, media_type={self.media_type!r})"

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write the image into `directory` (made if need be) under a new name, and return where it is.

        No file is overwritten, and none is there before it is whole. Raises `InvalidInput` where the directory
        cannot be written.
        """
        folder = Path(directory)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return self._save(folder)
        except OSError as error:
            raise InvalidInput(f"cannot save an image in {folder}: {error.strerror or error}") from None

    def _save(self, folder: Path) -> Path:
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".modelwire-", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self.data)
            os.chmod(temporary, 0o666 & ~_umask())
            return self._publish(folder, temporary)
        finally:
            os.unlink(temporary)

    def _publish(self, folder: Path, temporary: str) -> Path:
        """Give a finished file the first name that is free; a link fails where the name is taken."""
        stem, extension = safe_name(self.stem), _EXTENSIONS.get(self.media_type, "bin")
        for number in range(1, _MOST_NAMESAKES):
            path = folder / (f"{stem}.{extension}" if number == 1 else f"{stem}-{number}.{extension}")
            try:
                os.link(temporary, path)
            except FileExistsError:
                continue
            return path
        raise InvalidInput(f"there are too many files named {stem} in {folder}: choose another folder")


def safe_name(text: str) -> str:
    """A file name made of `text`: letters, digits, dots and dashes, never hidden, never a path."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-_")[:80] or "image"


def _umask() -> int:
    # There is no way to ask for it but to set it. Both calls are adjacent, and the value is restored.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
