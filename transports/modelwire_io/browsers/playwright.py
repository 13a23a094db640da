"""The Chrome or Chromium that is installed, driven by Playwright. It needs the extra `login`.

Playwright runs in an event loop of its own, in a thread of its own: so it can be used from anywhere, and be ended while
a page does not answer. The browser is a child of Playwright's driver, a child of ours. When this process ends, however
it does, the driver sees it, ends the browser and removes a temporary profile.
"""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable
from concurrent.futures import CancelledError, Future, wait
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from modelwire.commands import Evaluate, OpenPage
from modelwire.errors import InvalidInput
from modelwire.events import Event, PageClosed, PageEvaluated, Woken
from modelwire.formats.cookies import Cookie, site_cookies
from modelwire_io.clock import SystemClock

from .chrome import check_browser, find_browser, has_display, is_root, prepare_profile

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page, Playwright, ProxySettings
    from playwright.async_api import Cookie as PlaywrightCookie

# Seconds: for the browser to start, and to end by itself before it is made to.
START_TIME = 30.0
END_TIME = 5.0
# Seconds until a script is tried again whose page was on its way to the next one.
PAUSE = 0.05

# What a browser is told besides what Playwright tells it: neither is of use here, and both call others.
_ARGUMENTS = ("--disable-sync", "--disable-quic")
# Of a script that was under way when its page went: https://playwright.dev/python/docs/navigations.
_ON_ITS_WAY = (
    "Execution context was destroyed",
    "Cannot find context",
    "because of a navigation",
    "Frame was detached",
)

# Of a profile in which a browser runs already: Chromium's own words without a window, and with one.
_IN_USE = re.compile(r"ProcessSingleton|SingletonLock|Opening in existing browser session")


class How(NamedTuple):
    """How the browser is to be started."""

    program: str
    profile: Path | None
    headless: bool
    proxy: str | None


class PlaywrightBrowser:
    """A browser window of one's own. It is opened with the first page, and `close` ends it.

    `executable` is the browser, by default the one that is installed. `profile` is a folder that is kept, by default a
    temporary one. `headless` shows no window. `proxy` is a URL, or empty for none; by default the system's.

    Raises `InvalidInput` where Playwright, the browser or a display is missing.
    """

    def __init__(
        self,
        *,
        executable: str | None = None,
        profile: str | os.PathLike[str] | None = None,
        headless: bool = False,
        proxy: str | None = None,
    ) -> None:
        if find_spec("playwright") is None:
            raise InvalidInput("a browser needs Playwright: pip install 'modelwire[login]'")
        program = find_browser() if executable is None else check_browser(executable)
        if not headless and not has_display():
            raise InvalidInput("there is no display to show a browser on: run it headless, or where there is one")
        if profile is not None:
            prepare_profile(Path(profile))
        self._how = How(program, None if profile is None else Path(profile), headless, proxy)
        self._clock = SystemClock()
        self._running = ExitStack()
        self._portal: BlockingPortal | None = None
        self._window: _Window | None = None

    @property
    def warning(self) -> str | None:
        """What the user has to be told before it is used, if anything."""
        return "you are root: the browser runs without its sandbox" if is_root() else None

    def open_page(self, command: OpenPage) -> None:
        """Open a page; the browser is started with the first."""
        self._clock.anchor()
        if self._portal is None or self._window is None:
            self._portal = self._running.enter_context(start_blocking_portal("asyncio"))
            self._running.callback(self._portal.call, self._portal.stop, True)
            self._window = self._portal.call(_Window, self._how)
            self._running.callback(self._portal.call, self._window.close)
        self._portal.start_task_soon(self._window.open_page, command.url)

    def evaluate(self, command: Evaluate) -> PlaywrightExchange:
        """Begin to evaluate a script in the page."""
        if self._portal is None or self._window is None:
            answer: Future[Event] = Future()
            answer.set_result(PageClosed(command.request_id, "failed", "no page was opened"))
        else:
            answer = self._portal.start_task_soon(self._window.evaluate, command)
        return PlaywrightExchange(self._clock, answer)

    def close(self) -> None:
        """End the browser, and remove a temporary profile. It may be opened again."""
        self._portal = self._window = None
        self._running.close()


class PlaywrightExchange:
    """One script in a page."""

    def __init__(self, clock: SystemClock, answer: Future[Event]) -> None:
        self._clock = clock
        self._answer = answer

    def receive(self, until: float) -> Event:
        """What the script came to, or `Woken` at `until` (Unix time, seconds)."""
        wait([self._answer], max(0.0, until - self._clock.now()))
        try:
            return self._answer.result(0)
        except (TimeoutError, CancelledError):
            return Woken()

    def close(self) -> None:
        """Nothing more of it is wanted."""
        self._answer.cancel()


class _Opening:
    """A page on its way."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.is_over = anyio.Event()
        self.failure = ""  # why there is no page


class _Window:
    """The browser, as the event loop in its thread sees it."""

    def __init__(self, how: How) -> None:
        self._how = how
        self._playwright: Playwright | None = None
        self._context: BrowserContext | None = None
        self._launching = anyio.CancelScope()
        self._opening: _Opening | None = None

    async def open_page(self, url: str) -> None:
        """Start the browser, if that was not done, and go to a page."""
        from playwright.async_api import Error

        before, opening = self._opening, _Opening()
        self._opening = opening
        if before is not None:
            before.scope.cancel()
            await before.is_over.wait()
        with opening.scope:
            try:
                context = self._context or await self._launch()
                if context is not None:
                    await _go_to(_current(context) or await context.new_page(), url)
            except Error as error:
                opening.failure = _reason(error.message)
            finally:
                opening.is_over.set()

    async def evaluate(self, command: Evaluate) -> Event:
        """What the script comes to."""
        from playwright.async_api import Error

        opening = self._opening
        assert opening is not None
        await opening.is_over.wait()
        while not opening.failure:
            page = None if self._context is None else _current(self._context)
            if page is None:
                return PageClosed(command.request_id, "closed")
            try:
                value = await page.evaluate(f"JSON.stringify(({command.script}))")
                held = await page.context.cookies()
            except Error as error:
                if not page.is_closed() and not any(mark in error.message for mark in _ON_ITS_WAY):
                    return PageClosed(command.request_id, "failed", _reason(error.message))
                await anyio.sleep(PAUSE)
            else:
                # The clock of the browser has seen to what has expired.
                cookies = site_cookies(map(_as_cookie, held), page.url, 0.0)
                return PageEvaluated(command.request_id, "null" if value is None else str(value), cookies)
        return PageClosed(command.request_id, "failed", opening.failure)

    async def close(self) -> None:
        """End the browser and its driver, whatever they are about."""
        if self._opening is not None:
            self._opening.scope.cancel()
            with anyio.move_on_after(END_TIME):
                await self._opening.is_over.wait()
            self._launching.cancel()
            await self._opening.is_over.wait()
        if self._context is not None:
            await _end(self._context.close())
        if self._playwright is not None:
            await _end(self._playwright.stop())

    async def _launch(self) -> BrowserContext | None:
        """Start the browser; None where `close` is tired of waiting. Nobody else leaves it in the middle."""
        # A browser that is just being started would leave its files behind.
        with anyio.CancelScope(shield=True) as self._launching:
            if self._playwright is None:
                self._playwright = await _start_driver()
            self._context = await self._playwright.chromium.launch_persistent_context(
                self._how.profile or "",
                executable_path=self._how.program,
                headless=self._how.headless,
                chromium_sandbox=not is_root(),
                no_viewport=True,
                accept_downloads=False,
                handle_sigint=False,  # it is we who are interrupted, and end it
                proxy=as_proxy(self._how.proxy) if self._how.proxy else None,
                args=[*_ARGUMENTS, *(["--no-proxy-server"] if self._how.proxy == "" else [])],
                timeout=START_TIME * 1000,
            )
        return self._context


async def _start_driver() -> Playwright:
    """Playwright, once its driver answers. One that is left in the middle ends when its stdin is closed, with us."""
    from playwright.async_api import Error, async_playwright

    try:
        return await async_playwright().start()
    except Error:
        raise
    except Exception as error:
        # A driver that ends while it starts: Ctrl-C on a terminal is for the driver as well.
        raise Error(str(error)) from error


async def _go_to(page: Page, url: str) -> None:
    from playwright.async_api import Error

    for is_last in (False, False, True):
        try:
            await page.goto(url, wait_until="commit", timeout=0)
        except Error as error:
            _, was_interrupted, other = error.message.partition("interrupted by another navigation to ")
            if not was_interrupted or is_last:
                raise
            if "chrome-error:" not in other:
                return  # the page goes elsewhere by itself: it is read there
            # The browser's own page, about an address before that could not be opened.
        else:
            return


async def _end(ending: Awaitable[None]) -> None:
    """Let something end, for as long as that may take; what is gone already has ended."""
    from playwright.async_api import Error

    with anyio.move_on_after(END_TIME):
        try:
            await ending
        except Error:
            pass


def _current(context: BrowserContext) -> Page | None:
    """The page that is read: the first that is open. A person may have closed ours, and go on in another tab."""
    return next((page for page in context.pages if not page.is_closed()), None)


def _as_cookie(held: PlaywrightCookie) -> Cookie:
    expires = held.get("expires", -1)
    domain = held.get("domain", "")
    return Cookie(
        name=held.get("name", ""),
        value=held.get("value", ""),
        domain=domain.removeprefix(".").lower(),
        host_only=not domain.startswith("."),
        path=held.get("path", "/"),
        secure=held.get("secure", False),
        expires=expires if expires > 0 else None,
    )


def as_proxy(url: str) -> ProxySettings:
    """A proxy as the browser is told it."""
    parts = urlsplit(url)
    # The browser lets a SOCKS proxy look up names, and has no word of its own for that.
    scheme = "socks5" if parts.scheme == "socks5h" else parts.scheme
    settings: ProxySettings = {"server": f"{scheme}://{parts.netloc.rpartition('@')[2]}"}
    if parts.username is not None:
        settings["username"] = unquote(parts.username)
        settings["password"] = unquote(parts.password or "")
    return settings


def _reason(message: str) -> str:
    """What Playwright says, in one line; of a browser that did not start, what that said itself."""
    if _IN_USE.search(message):
        return "another browser uses this profile: close it, or choose another profile"
    first, *log = message.splitlines() or [""]
    said = [line.partition("[err]")[2].strip() for line in log if "[err]" in line]
    # "[pid:thread:time:ERROR:file:line] what went wrong"
    errors = [line.partition("] ")[2] for line in said if ":ERROR:" in line and ":ERROR:dbus/" not in line]
    ended = re.search(r"process did exit: (exitCode=\d+)", message)
    return next(iter([*errors, *said]), f"it ended at once, {ended[1]}" if ended else first.partition(": ")[2] or first)
