"""Where Chrome or Chromium is on this machine, and what it has to be told."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from modelwire.errors import InvalidInput
from modelwire_io.store.private_files import make_private_directory

# On the PATH, in the order in which they are preferred.
_NAMES = ("google-chrome-stable", "google-chrome", "chromium", "chromium-browser", "chrome")
_MAC_PATHS = ("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium")
_WINDOWS_PATHS = ("Google/Chrome/Application/chrome.exe", "Chromium/Application/chrome.exe")
_WINDOWS_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
# In a folder that is a profile of ours.
_PROFILE_MARKER = ".modelwire-profile"


def find_browser(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """The browser that is installed. Raises `InvalidInput` where there is none."""
    for path in _places(environment, platform):
        if _is_program(path):
            return str(path)
    raise InvalidInput("no Chrome or Chromium was found: install one, or name its program")


def check_browser(path: str) -> str:
    """The program of this name or path. Raises `InvalidInput` for what is no program."""
    found = shutil.which(path)
    if found is None:
        raise InvalidInput(f"{path!r} is not a program: name that of Chrome or Chromium")
    return found


def _places(environment: Mapping[str, str], platform: str) -> Iterator[Path]:
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
    """Whether a window can be shown."""
    if platform in ("darwin", "win32"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def prepare_profile(folder: Path) -> None:
    """Make sure that a folder is a profile of ours, for nobody else to read.

    Raises `InvalidInput` for a folder that holds something else: it would become private, and full of a browser's
    files. One's own profile is nothing to be driven by a program.
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
    """Whether we are the system's administrator, for whom Chrome's sandbox does not work."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
