"""A real browser for tests, and a simulated person who uses it.

The person uses a debugging port that the tested code does not know of. A wrapper program, given as `--browser PATH`,
opens that port.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command_line import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or find_spec("playwright") is None or not Path("/proc/self/stat").exists(),
    reason="there is no Chromium, no Playwright or no /proc on this machine: see CONTRIBUTING.md",
)


def program_with_debugging_port(folder: Path) -> Path:
    """Write a program that starts Chromium with a second debugging port. Chromium writes its number to the profile."""
    program = folder / "browser"
    program.write_text(f'#!/bin/sh\nexec {CHROMIUM} --remote-debugging-port=0 "$@"\n', encoding="utf-8")
    program.chmod(0o700)
    return program


@contextmanager
def page_of_person(profile: Path, title: str = "Hailuo AI (emulated)") -> Iterator[Page]:
    """The page of the browser with this profile, once it has this title."""
    from playwright.sync_api import sync_playwright

    port_file = profile / "DevToolsActivePort"
    wait_until(lambda: port_file.exists() and "\n" in port_file.read_text(encoding="utf-8"))
    port = port_file.read_text(encoding="utf-8").split("\n")[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")
        page = browser.contexts[0].pages[0]
        wait_until(lambda: page.title() == title)
        yield page


def fill_in(page: Page) -> None:
    """Fill in and send the login form."""
    page.get_by_label("Email").fill("ada@example.com")
    page.get_by_label("Password").fill("S-12345678")
    page.get_by_role("button", name="Log in").click()


def wait_until(condition: object, seconds: float = PATIENCE) -> None:
    """Poll a condition until it is true."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def descendants(pid: int) -> set[tuple[int, str]]:
    """The descendants of a process: id and start time, which together identify a process."""
    parents = {child: (parent, began) for child, parent, began in _processes()}
    found = {pid}
    while more := {child for child, (parent, _) in parents.items() if parent in found} - found:
        found |= more
    return {(child, parents[child][1]) for child in found - {pid}}


def assert_gone(processes: set[tuple[int, str]]) -> None:
    """Assert that these processes end within ten seconds."""
    assert processes, "no process was started"
    wait_until(lambda: not processes & {(pid, began) for pid, _, began in _processes()}, 10.0)


def _processes() -> Iterator[tuple[int, int, str]]:
    """The id, the parent and the start time of each process, without zombies."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        state, parent, *rest = stat.rpartition(")")[2].split()
        if state not in "ZX":
            yield int(entry), int(parent), rest[17]
