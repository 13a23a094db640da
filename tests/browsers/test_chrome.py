"""The things that a browser needs to start: a program, a display, a profile and Playwright."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from modelwire.errors import InvalidInput, LocalProtocolError
from modelwire.outputs import LoginRequired
from modelwire.providers.hailuo_login import HailuoLogin
from modelwire_io.browsers import BrowserUnavailable, PlaywrightBrowser
from modelwire_io.browsers import playwright as playwright_browser
from modelwire_io.browsers.chrome import check_browser, find_browser, has_display, prepare_profile
from modelwire_io.drive import drive
from modelwire_io.transports import MemoryTransport


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o700)
    return path


def test_an_installed_browser_is_found(tmp_path: Path) -> None:
    environment = {"PATH": f"{tmp_path / 'a'}:{tmp_path / 'b'}"}
    with pytest.raises(BrowserUnavailable) as caught:
        find_browser(environment, "linux")
    assert str(caught.value) == "no Chrome or Chromium was found: install one, or name its program"
    chromium = program(tmp_path / "a" / "chromium")
    assert find_browser(environment, "linux") == str(chromium)
    google = program(tmp_path / "b" / "google-chrome")
    assert find_browser(environment, "linux") == str(google), "Google Chrome is preferred"
    (tmp_path / "b" / "google-chrome").chmod(0o600)
    assert find_browser(environment, "linux") == str(chromium)


@pytest.mark.parametrize(
    ("platform", "variable", "path"),
    [
        ("darwin", "HOME", "Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
        ("darwin", "HOME", "Applications/Chromium.app/Contents/MacOS/Chromium"),
        ("win32", "PROGRAMFILES", "Google/Chrome/Application/chrome.exe"),
        ("win32", "PROGRAMFILES(X86)", "Google/Chrome/Application/chrome.exe"),
        ("win32", "LOCALAPPDATA", "Chromium/Application/chrome.exe"),
    ],
)
def test_a_browser_is_found_in_the_folders_of_its_system(
    tmp_path: Path, platform: str, variable: str, path: str
) -> None:
    found = program(tmp_path / path)
    environment = {"PATH": "", variable: str(tmp_path)}
    assert find_browser(environment, platform) == str(found)
    with pytest.raises(BrowserUnavailable):
        find_browser(environment, "linux")


def test_a_browser_may_be_given_by_name_or_path(tmp_path: Path) -> None:
    path = str(program(tmp_path / "my browser"))
    assert check_browser(path) == path
    assert check_browser("sh").endswith("/sh")
    for wrong in (str(tmp_path), str(tmp_path / "none"), "no-such-browser"):
        with pytest.raises(BrowserUnavailable, match=r"is not a program: name the program of Chrome or Chromium$"):
            check_browser(wrong)


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_a_display_is_recognised(environment: dict[str, str], platform: str, expected: bool) -> None:
    assert has_display(environment, platform) is expected


def test_a_profile_is_private_and_can_be_used_again(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "profile"
    prepare_profile(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "Cookies").write_bytes(b"C-1")
    prepare_profile(folder)
    assert (folder / "Cookies").read_bytes() == b"C-1"


def test_an_empty_folder_can_become_a_profile(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir(mode=0o755)
    prepare_profile(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_with_other_files_is_refused_and_not_changed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "Local State").write_text("{}", encoding="utf-8")
    with pytest.raises(
        InvalidInput, match=r"holds other files, and is not a profile made by modelwire: choose a new folder$"
    ):
        prepare_profile(home)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755
    assert [path.name for path in home.iterdir()] == ["Local State"]
    with pytest.raises(InvalidInput, match=r"is not a folder: choose another$"):
        prepare_profile(home / "Local State")


def test_a_missing_display_or_playwright_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    path = str(program(tmp_path / "browser"))
    profile = tmp_path / "profile"
    with pytest.raises(BrowserUnavailable, match="there is no display to show a browser on: run it headless, or"):
        PlaywrightBrowser(executable=path, profile=profile)
    assert not profile.exists()
    PlaywrightBrowser(executable=path, profile=profile, headless=True)
    assert profile.exists()
    monkeypatch.setattr(playwright_browser, "find_spec", lambda name: None)
    with pytest.raises(BrowserUnavailable, match=r"a browser needs Playwright: pip install 'modelwire\[login\]'$"):
        PlaywrightBrowser(executable=path, headless=True)


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("http://proxy.example:8080", {"server": "http://proxy.example:8080"}),
        (
            "http://ada:s%40cret@proxy.example",
            {"server": "http://proxy.example", "username": "ada", "password": "s@cret"},
        ),
        ("http://ada@proxy.example", {"server": "http://proxy.example", "username": "ada", "password": ""}),
        ("socks5h://127.0.0.1:1080", {"server": "socks5://127.0.0.1:1080"}),
    ],
)
def test_a_proxy_is_converted_for_playwright(url: str, settings: Any) -> None:
    assert playwright_browser.proxy_settings(url) == settings


def test_a_flow_with_pages_needs_a_browser() -> None:
    outputs = drive(HailuoLogin(), MemoryTransport())
    assert isinstance(next(outputs), LoginRequired)
    with pytest.raises(LocalProtocolError, match="this flow opens a page: give its driver a browser"):
        next(outputs)
