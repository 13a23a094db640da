"""`modelwire image`: the pictures and their files."""

from __future__ import annotations

from pathlib import Path

from command_line import Inside, files_in
from modelwire_io.emulation import EmulatorServer

KEY = b"emulated-key"


def test_pictures_are_saved_and_their_paths_printed(user: Inside) -> None:
    result = user.run("image", "-n", "2", "-O", "made/here", "a", "dragon")
    assert result.code == 0
    paths = [Path(line) for line in result.out.splitlines()]
    assert files_in(user.home.folder) == [user.home.folder / path for path in paths]
    assert [path.parent for path in paths] == [Path("made/here")] * 2
    assert all(path.read_bytes().startswith(b"\x89PNG\r\n") for path in paths)
    assert result.notes[-1].startswith("Generated in ")
    assert "\x1b" not in result.err
    again = user.run("image", "-m", "arta/Low Poly", typed=b"a dragon\n")
    assert again.code == 0
    assert Path(again.out.strip()).parent == Path()


def test_json_lines_hold_the_paths_of_pictures(user: Inside) -> None:
    result = user.run("image", "--json", "-o", "n", "2", "a dragon")
    assert (result.code, result.err) == (0, "")
    lines = result.json_lines
    saved = [line for line in lines if line["type"] == "ImageSaved"]
    assert [line["media_type"] for line in saved] == ["image/png"] * 2
    assert files_in(user.home.folder) == sorted(user.home.folder / line["path"] for line in saved)
    assert lines[-1] == {"type": "Finished", "failure": None}
    assert KEY.decode() not in result.out


def test_an_impossible_folder_is_refused_before_the_job_is_submitted(user: Inside, emulators: EmulatorServer) -> None:
    (user.home.folder / "file").write_bytes(b"")
    before = len(emulators.requests)
    result = user.run("image", "-O", "file", "a dragon")
    assert (result.code, result.out) == (2, "")
    assert result.err == "modelwire: cannot save an image in file: it is a file; choose another folder\n"
    assert len(emulators.requests) == before
