"""Find Chrome or Chromium on this machine, and prepare what it needs to start."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelwire.errors import InvalidInput
from modelwire_io.store.private_files import make_private_directory

# Programs on the PATH, preferred ones first.
_NAMES = ("google-chrome-stable", "google-chrome", "chromium", "chromium-browser", "chrome")
_MAC_PATHS = ("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium")
_WINDOWS_PATHS = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe")
_WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
# A file that marks a folder as a profile that modelwire made.
_PROFILE_MARKER = ".modelwire-profile"


class BrowserUnavailable(InvalidInput):
    """No browser can be started: Playwright, the browser's program or a display is missing. The message says which."""


def find_browser(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Find an installed browser and return its path. Raises `BrowserUnavailable` if there is none."""
    for path in _candidates(environment, platform):
        if _is_program(path):
            return str(path)
    raise BrowserUnavailable("no Chrome or Chromium was found: install one, or name its program")


def check_browser(path: str) -> str:
    """Find a program by its name or path and return its path. Raises `BrowserUnavailable` if it is not a program."""
    found = shutil.which(path)
    if found is None:
        raise BrowserUnavailable(f"{path!r} is not a program: name the program of Chrome or Chromium")
    return found


def _candidates(environment: Mapping[str, str], platform: str) -> Iterator[Path]:
    for name in _NAMES:
        found = shutil.which(name, path=environment.get("PATH", ""))
        if found is not None:
            yield Path(found)
    if platform == "darwin":
        for folder in (Path("/Applications"), Path(environment.get("HOME", "/")) / "Applications"):
            yield from (folder / path for path in _MAC_PATHS)
    if platform == "win32":
        for variable in _WINDOWS_FOLDERS:
            if environment.get(variable):
                yield from (Path(environment[variable]) / path for path in _WINDOWS_PATHS)


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def has_display(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """True if a window can be shown."""
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def prepare_profile(folder: Path) -> None:
    """Make a folder a private browser profile, or check that it is one that modelwire made earlier.

    Raises `InvalidInput` if the folder holds anything else, because it would become private and be filled with the
    browser's files. This also protects the user's own browser profile, which no program should drive.
    """
    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"the profile {folder} is not a folder: choose another")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _PROFILE_MARKER).exists():
        raise InvalidInput(
            f"the folder {folder} holds other files, and is not a profile made by modelwire: choose a new folder"
        )
    make_private_directory(folder)
    (folder / _PROFILE_MARKER).touch(mode=0o600)


def is_root() -> bool:
    """True if this process runs as root, for whom Chrome's sandbox does not work."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
