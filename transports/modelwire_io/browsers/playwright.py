"""An installed Chrome or Chromium, driven by Playwright. Needs the extra `login`.

Playwright runs in its own event loop, in its own thread. So it can be used from any thread or event loop, and it can be
stopped while a page does not respond. This process starts Playwright's driver, and the driver starts the browser. When
this process ends, for any reason, the driver notices, ends the browser and removes a temporary profile.
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
from modelwire.events import Event, PageClosed, PageEvaluated, Woken
from modelwire.formats.cookies import Cookie, site_cookies
from modelwire_io.clock import SystemClock

from .chrome import BrowserUnavailable, check_browser, find_browser, has_display, is_root, prepare_profile

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Page, Playwright, ProxySettings
    from playwright.async_api import Cookie as PlaywrightCookie

# Seconds: the longest that the browser may take to start.
START_SECONDS = 30.0
# Seconds: how long `close` waits for the launch, the browser and the driver, one after the other, to end by themselves.
STOP_SECONDS = 5.0
# Seconds: the pause before a script is run again because its page was navigating.
RETRY_SECONDS = 0.05

# Arguments of the browser besides Playwright's. A login needs neither feature, and both contact other servers.
_ARGUMENTS = ("--disable-sync", "--disable-quic")
# Parts of Playwright's messages if a page navigates during a script: https://playwright.dev/python/docs/navigations.
_NAVIGATION_ERRORS = (
    "Execution context was destroyed",
    "Cannot find context",
    "because of a navigation",
    "Frame was detached",
)

# In Chromium's output if the profile is in use: the first two if it is headless, the third if it has a window.
_PROFILE_IN_USE = re.compile(r"ProcessSingleton|SingletonLock|Opening in existing browser session")


class LaunchSettings(NamedTuple):
    """How to start the browser. `PlaywrightBrowser` describes the fields."""

    program: str
    profile: Path | None
    headless: bool
    proxy: str | None


class PlaywrightBrowser:
    """A browser that starts with the first page that is opened.

    `executable` is the browser's program; by default an installed one. `profile` is a folder for the browser's profile,
    which `close` keeps; by default a temporary folder. `headless` shows no window. `proxy` is a URL, or empty for no
    proxy; by default the system's proxy.

    Raises `BrowserUnavailable` if Playwright, the browser or a display is missing, and `InvalidInput` if `profile` is a
    folder with other files.
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
            raise BrowserUnavailable("a browser needs Playwright: pip install 'modelwire[login]'")
        program = find_browser() if executable is None else check_browser(executable)
        if not headless and not has_display():
            raise BrowserUnavailable(
                "there is no display to show a browser on: run it headless, or on a machine with a display"
            )
        if profile is not None:
            prepare_profile(Path(profile))
        self._settings = LaunchSettings(program, None if profile is None else Path(profile), headless, proxy)
        self._clock = SystemClock()
        self._running = ExitStack()
        self._portal: BlockingPortal | None = None
        self._browser: _AsyncBrowser | None = None

    @property
    def warning(self) -> str | None:
        """A warning to show to the user before the browser starts, or None."""
        return "you are root: the browser runs without its sandbox" if is_root() else None

    def open_page(self, command: OpenPage) -> None:
        self._clock.anchor()
        if self._portal is None or self._browser is None:
            self._portal = self._running.enter_context(start_blocking_portal("asyncio"))
            self._running.callback(self._portal.call, self._portal.stop, True)
            self._browser = self._portal.call(_AsyncBrowser, self._settings)
            self._running.callback(self._portal.call, self._browser.close)
        self._portal.start_task_soon(self._browser.open_page, command.url)

    def evaluate(self, command: Evaluate) -> PlaywrightExchange:
        if self._portal is None or self._browser is None:
            result: Future[Event] = Future()
            result.set_result(PageClosed(command.request_id, "failed", "no page was opened"))
        else:
            result = self._portal.start_task_soon(self._browser.evaluate, command)
        return PlaywrightExchange(self._clock, result)

    def close(self) -> None:
        """End the browser and remove a temporary profile. The next page starts a new browser."""
        self._portal = self._browser = None
        self._running.close()


class PlaywrightExchange:
    """One script in a page."""

    def __init__(self, clock: SystemClock, result: Future[Event]) -> None:
        self._clock = clock
        self._result = result

    def receive(self, until: float) -> Event:
        wait([self._result], max(0.0, until - self._clock.now()))
        try:
            return self._result.result(0)
        except (TimeoutError, CancelledError):
            return Woken()

    def close(self) -> None:
        self._result.cancel()


class _Navigation:
    """The start of the browser, if it is not running, and the opening of one page."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.has_ended = anyio.Event()
        self.failure = ""  # the reason why the page could not be opened


class _AsyncBrowser:
    """The browser and its driver. Every method runs in the event loop of Playwright's thread."""

    def __init__(self, settings: LaunchSettings) -> None:
        self._settings = settings
        self._playwright: Playwright | None = None
        self._context: BrowserContext | None = None
        self._launching = anyio.CancelScope()
        self._navigation: _Navigation | None = None

    async def open_page(self, url: str) -> None:
        """Start the browser if it is not running, and open a page. Ends an earlier call that has not returned yet."""
        from playwright.async_api import Error

        previous, navigation = self._navigation, _Navigation()
        self._navigation = navigation
        if previous is not None:
            previous.scope.cancel()
            await previous.has_ended.wait()
        with navigation.scope:
            try:
                context = self._context or await self._launch()
                if context is not None:
                    await _navigate(_current_page(context) or await context.new_page(), url)
            except Error as error:
                navigation.failure = _error_text(error.message)
            finally:
                navigation.has_ended.set()

    async def evaluate(self, command: Evaluate) -> Event:
        """Run a script once the page is open. If the page navigates meanwhile, run the script again."""
        from playwright.async_api import Error

        navigation = self._navigation
        assert navigation is not None
        await navigation.has_ended.wait()
        while not navigation.failure:
            page = None if self._context is None else _current_page(self._context)
            if page is None:
                return PageClosed(command.request_id, "closed")
            try:
                value = await page.evaluate(f"JSON.stringify(({command.script}))")
                all_cookies = await page.context.cookies()
            except Error as error:
                if not page.is_closed() and not any(mark in error.message for mark in _NAVIGATION_ERRORS):
                    return PageClosed(command.request_id, "failed", _error_text(error.message))
                await anyio.sleep(RETRY_SECONDS)
            else:
                # The time is 0 because the browser has already left out expired cookies.
                cookies = site_cookies(map(_convert_cookie, all_cookies), page.url, 0.0)
                return PageEvaluated(command.request_id, "null" if value is None else str(value), cookies)
        return PageClosed(command.request_id, "failed", navigation.failure)

    async def close(self) -> None:
        """End the browser and its driver, even while a page is opened or a script runs."""
        if self._navigation is not None:
            self._navigation.scope.cancel()
            with anyio.move_on_after(STOP_SECONDS):
                await self._navigation.has_ended.wait()
            self._launching.cancel()
            await self._navigation.has_ended.wait()
        if self._context is not None:
            await _finish(self._context.close())
        if self._playwright is not None:
            await _finish(self._playwright.stop())

    async def _launch(self) -> BrowserContext | None:
        """Start the browser. Returns None if `close` cancelled it; nothing else cancels it."""
        # A start that is cancelled leaves the browser's files behind. So `close` cancels it only after `STOP_SECONDS`.
        with anyio.CancelScope(shield=True) as self._launching:
            if self._playwright is None:
                self._playwright = await _start_driver()
            self._context = await self._playwright.chromium.launch_persistent_context(
                self._settings.profile or "",
                executable_path=self._settings.program,
                headless=self._settings.headless,
                chromium_sandbox=not is_root(),
                no_viewport=True,
                accept_downloads=False,
                handle_sigint=False,  # Ctrl-C interrupts this process, which then ends the browser
                proxy=proxy_settings(self._settings.proxy) if self._settings.proxy else None,
                args=[*_ARGUMENTS, *(["--no-proxy-server"] if self._settings.proxy == "" else [])],
                timeout=START_SECONDS * 1000,
            )
        return self._context


async def _start_driver() -> Playwright:
    """Start Playwright's driver. If this is cancelled, the driver ends with this process, when its stdin is closed."""
    from playwright.async_api import Error, async_playwright

    try:
        return await async_playwright().start()
    except Error:
        raise
    except Exception as error:
        # The driver ended during its start. For example, Ctrl-C in a terminal reaches the driver, too.
        raise Error(str(error)) from error


async def _navigate(page: Page, url: str) -> None:
    from playwright.async_api import Error

    for is_last in (False, False, True):
        try:
            await page.goto(url, wait_until="commit", timeout=0)
        except Error as error:
            _, was_interrupted, other = error.message.partition("interrupted by another navigation to ")
            if not was_interrupted or is_last:
                raise
            if "chrome-error:" not in other:
                return  # the page redirected itself: its target is the page to read
            # The interrupting page is the browser's error page for an earlier URL: try again.
        else:
            return


async def _finish(closing: Awaitable[None]) -> None:
    """Wait `STOP_SECONDS` at most for the browser or the driver to end. An error means that it is already gone."""
    from playwright.async_api import Error

    with anyio.move_on_after(STOP_SECONDS):
        try:
            await closing
        except Error:
            pass


def _current_page(context: BrowserContext) -> Page | None:
    """The page to read: the first open one. The user may have closed the original tab and continued in another."""
    return next((page for page in context.pages if not page.is_closed()), None)


def _convert_cookie(cookie: PlaywrightCookie) -> Cookie:
    expires = cookie.get("expires", -1)
    domain = cookie.get("domain", "")
    return Cookie(
        name=cookie.get("name", ""),
        value=cookie.get("value", ""),
        domain=domain.removeprefix(".").lower(),
        host_only=not domain.startswith("."),
        path=cookie.get("path", "/"),
        secure=cookie.get("secure", False),
        expires=expires if expires > 0 else None,
    )


def proxy_settings(url: str) -> ProxySettings:
    """Convert a proxy's URL to Playwright's settings."""
    parts = urlsplit(url)
    # Chromium always leaves host names to a SOCKS proxy, and does not know the scheme socks5h.
    scheme = "socks5" if parts.scheme == "socks5h" else parts.scheme
    settings: ProxySettings = {"server": f"{scheme}://{parts.netloc.rpartition('@')[2]}"}
    if parts.username is not None:
        settings["username"] = unquote(parts.username)
        settings["password"] = unquote(parts.password or "")
    return settings


def _error_text(message: str) -> str:
    """Playwright's message in one line. If the browser did not start, the line is from the browser's own output."""
    if _PROFILE_IN_USE.search(message):
        return "another browser uses this profile: close it, or choose another profile"
    first, *log = message.splitlines() or [""]
    output = [line.partition("[err]")[2].strip() for line in log if "[err]" in line]
    # "[pid:thread:time:ERROR:file:line] what went wrong"
    errors = [line.partition("] ")[2] for line in output if ":ERROR:" in line and ":ERROR:dbus/" not in line]
    ended = re.search(r"process did exit: (exitCode=\d+)", message)
    return next(
        iter([*errors, *output]), f"it ended at once, {ended[1]}" if ended else first.partition(": ")[2] or first
    )
