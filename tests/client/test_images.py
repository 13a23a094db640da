"""Images as files: complete, under a safe name, and never over another file."""

from __future__ import annotations

import builtins
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelwire.errors import InvalidInput
from modelwire_io import Image
from modelwire_io.client import images
from modelwire_io.client.images import make_folder, safe_name

PNG = b"\x89PNG\r\n\x1a\n and so on"


def image(stem: str = "arta-job-1", media_type: str = "image/png", data: bytes = PNG) -> Image:
    return Image(url="https://images.example/1.png?token=secret", data=data, media_type=media_type, stem=stem)


def test_an_image_is_written_complete_under_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    path = image().save(folder)
    assert path == folder / "arta-job-1.png"
    assert path.read_bytes() == PNG
    assert image("other").save(str(folder)) == folder / "other.png"
    assert sorted(os.listdir(folder)) == ["arta-job-1.png", "other.png"]


@pytest.mark.parametrize(
    ("media_type", "extension"),
    [
        ("image/png", "png"),
        ("image/jpeg", "jpg"),
        ("image/gif", "gif"),
        ("image/webp", "webp"),
        ("image/../../x", "bin"),
    ],
)
def test_the_media_type_decides_the_extension(tmp_path: Path, media_type: str, extension: str) -> None:
    assert image(media_type=media_type).save(tmp_path).name == f"arta-job-1.{extension}"


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "arta-job-1.png").write_bytes(b"mine")
    (tmp_path / "arta-job-1-2.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "arta-job-1-3.png").mkdir()
    assert image().save(tmp_path).name == "arta-job-1-4.png"
    assert image().save(tmp_path).name == "arta-job-1-5.png"
    assert (tmp_path / "arta-job-1.png").read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "no links"])
def test_threads_that_save_at_once_get_a_file_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:
        without_links(monkeypatch)
    contents = [PNG + bytes([number]) * 10_000 for number in range(16)]
    saved: dict[Path, bytes] = {}
    together = threading.Barrier(len(contents))

    def save(data: bytes) -> None:
        together.wait(timeout=5)
        saved[image(data=data).save(tmp_path)] = data

    threads = [threading.Thread(target=save, args=(data,)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(saved) == len(contents)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == saved


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make hard links fail, as on the file system of a memory card."""

    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


def test_a_file_system_without_hard_links_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_links(monkeypatch)
    (tmp_path / "arta-job-1.png").write_bytes(b"mine")
    assert image().save(tmp_path).read_bytes() == PNG
    assert sorted(os.listdir(tmp_path)) == ["arta-job-1-2.png", "arta-job-1.png"]
    assert (tmp_path / "arta-job-1.png").read_bytes() == b"mine"


class FullDisk:
    """A file on a disk that is full after four bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        self._file.write(data[:4])
        self._file.flush()
        raise OSError(28, "No space left on device")


def test_a_failed_write_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = builtins.open
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", lambda *arguments: FullDisk(real_open(*arguments)))
        with pytest.raises(InvalidInput) as caught:
            image().save(tmp_path)
    reason = "No space left on device; choose another folder"
    assert str(caught.value) == f"cannot save an image in {tmp_path}: {reason}"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "no links"])
def test_an_interrupt_before_the_rename_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if not has_links:
        without_links(monkeypatch)
    monkeypatch.setattr(os, "link" if has_links else "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        image().save(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "reason"), [("file", "it is a file"), ("file/below", "Not a directory")], ids=["file", "below a file"]
)
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    folder = tmp_path / path
    for use in (lambda: image().save(folder), lambda: make_folder(folder)):
        with pytest.raises(InvalidInput) as caught:
            use()
        assert str(caught.value) == f"cannot save an image in {folder}: {reason}; choose another folder"
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_a_folder_without_write_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write anywhere, so setting permissions would not test anything.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    with pytest.raises(InvalidInput, match=f"^cannot save an image in {tmp_path}: you may not write there; choose"):
        make_folder(tmp_path)


def test_the_umask_decides_the_permissions(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = image().save(tmp_path)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_too_many_files_of_one_name_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_MAX_NAMESAKES", 3)
    image().save(tmp_path)
    image().save(tmp_path)
    with pytest.raises(InvalidInput, match=r"^there are too many files named arta-job-1 in "):
        image().save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["arta-job-1-2.png", "arta-job-1.png"]


@given(st.text(st.characters(), max_size=300))
@example("../../etc/passwd")
@example("/etc/passwd")
@example("..")
@example(".hidden")
@example("a\0b")
@example("a\nb")
@example("x" * 5000)
@example("Zürich 雪 \u202egnp.exe")
@example("C:\\Windows\\x")
@example("")
@example("-rf")
def test_a_safe_name_is_a_single_file_name(text: str) -> None:
    name = safe_name(text)
    assert name == os.path.basename(name)
    assert name.isascii()
    assert name.isprintable()
    assert 0 < len(name) <= 80
    assert name[0] not in ".-"
    assert not set(name) & set('/\\:*?"<>| ')


@pytest.mark.parametrize("stem", ["../escape", "a/b", "/abs", "..", "nul\0", "x" * 400, "雪", "...", ".hidden"])
def test_every_stem_stays_inside_the_folder(tmp_path: Path, stem: str) -> None:
    folder = tmp_path / "images"
    first, second = image(stem).save(folder), image(stem).save(folder)
    assert first != second
    assert sorted(folder.iterdir()) == sorted([first, second])
    assert os.listdir(tmp_path) == ["images"]


def test_the_repr_of_an_image_shows_no_bytes() -> None:
    assert repr(image()) == (
        f"Image(url='https://images.example/1.png?token=secret', data=<{len(PNG)} bytes>, media_type='image/png')"
    )
