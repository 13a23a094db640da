"""Logs in to the emulated Hailuo AI as a person does, and takes the pictures `login.svg` and `login.png`.

    python docs/tools/record_login.py

It needs the extra `login`, Chromium, and a display, or else Debian's package `xvfb`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from playwright.sync_api import Page, sync_playwright
from rich.text import Text

from modelwire_io.emulation import EmulatorServer
from terminal import draw, typed

DOCS = Path(__file__).resolve().parents[1]
PORT = 8000
DISPLAY = ":87"
PATIENCE = 30.0
COMMANDS = (
    "modelwire login hailuo",
    "modelwire auth",
    "modelwire chat -m hailuo 'Hello, it is me.'",
    "modelwire logout hailuo",
)
DESCRIPTION = """A terminal in which "modelwire login hailuo" waits for a login in a browser and stores it,
  "modelwire auth" lists it, "modelwire chat" uses it, and "modelwire logout" forgets it."""

T = TypeVar("T")


@contextmanager
def display() -> Iterator[str]:
    """The display of this machine, or a virtual one."""
    if os.environ.get("DISPLAY"):
        yield os.environ["DISPLAY"]
        return
    process = subprocess.Popen(["Xvfb", DISPLAY, "-screen", "0", "1280x900x24"], stderr=subprocess.DEVNULL)
    try:
        yield DISPLAY
    finally:
        process.terminate()
        process.wait()


def install_browser(folder: Path) -> None:
    """Write a program, first on the path, that starts Chromium with a debugging port for this script."""
    program = folder / "google-chrome-stable"
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    program.write_text(f'#!/bin/sh\nexec {chromium} --remote-debugging-port=0 "$@"\n', encoding="utf-8")
    program.chmod(0o700)


def wait_for(find: Callable[[], T | None]) -> T:
    """Call `find` until it finds something, and return that."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = find()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit("the browser did not open its page")


def log_in(folder: Path) -> None:
    """Act as the person: take a picture of the page, and fill in the form."""
    file = wait_for(lambda: next(folder.glob("playwright*profile*/DevToolsActivePort"), None))
    port = wait_for(file.read_text).split("\n")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        page: Page = browser.contexts[0].pages[0]
        wait_for(lambda: "Hailuo" in page.title())
        page.get_by_label("Email").fill("ada@example.com")
        page.get_by_label("Password").fill("correct horse")
        page.locator("main").screenshot(path=DOCS / "login.png")
        page.get_by_role("button").click()


def record(environment: dict[str, str], folder: Path) -> Iterator[Text]:
    """The commands and their output."""
    for command in COMMANDS:
        run = command.replace("modelwire", f"{sys.executable} -c 'from modelwire_io.cli import main; main()'", 1)
        process = subprocess.Popen(run, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if "login" in command:
            log_in(folder)
        written = process.communicate(timeout=PATIENCE)[0].decode()
        if process.returncode:
            raise SystemExit(written)
        yield typed(command)
        # Left out: a warning that root gets.
        yield from (Text(line) for line in written.splitlines() if "you are root" not in line)
        yield Text()


def main() -> None:
    """Record, and draw."""
    with EmulatorServer(port=PORT) as server, display() as shown, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        install_browser(folder)
        environment = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "DISPLAY": shown,
            "HAILUO_BASE_URL": server.providers["hailuo"],
        }
        lines = [*record(environment, folder)][:-1]
        # Show the temporary home folder as ~.
        shortened = (Text(line.plain.replace(str(folder), "~"), spans=line.spans) for line in lines)
        draw(DOCS / "login.svg", shortened, title="modelwire login hailuo", description=DESCRIPTION)


if __name__ == "__main__":
    main()
