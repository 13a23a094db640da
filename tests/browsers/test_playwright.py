"""The browser for logins: it opens pages, runs scripts, reports failures, and leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import msgspec
import pytest

from chromium import assert_gone, descendants, needs_chromium, wait_until
from modelwire.commands import Evaluate, OpenPage
from modelwire.errors import DeadlineExceeded
from modelwire.events import Event, PageClosed, PageEvaluated, Woken
from modelwire.outputs import LoginRequired, Output
from modelwire.providers.hailuo_login import HailuoCredentials
from modelwire_io import AsyncClient, Client
from modelwire_io.browsers import PlaywrightBrowser, chrome
from modelwire_io.browsers import playwright as playwright_browser
from modelwire_io.store import MemoryStore
from transport_variants import STYLES, Style, backend_of

# A page whose user is logged in.
LOGGED_IN = """<title>in</title><script>
localStorage.setItem("_token", "T-12345678");
localStorage.setItem("UNIQUE_USER_ID", "U-12345678");
localStorage.setItem("USER_HARD_WARE_INFO", "D-12345678");
</script>"""
# A page that reloads itself again and again.
RESTLESS = """<title>restless</title><script>
const left = Number(location.hash.slice(1) || 15);
if (left > 0) { location.hash = left - 1; location.reload(); }
</script>"""
PAGES = {"/": LOGGED_IN, "/restless": RESTLESS, "/nobody/": "<title>nobody</title>"}
COOKIES = ("session=C-12345678; HttpOnly; Path=/", "deep=D-1; Path=/v4; Max-Age=1000", "other=1; Domain=b.example")


class Site(ThreadingHTTPServer):
    """A web site. It never responds to a request for `/never`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RequestHandler)
        self.requested: list[str] = []
        self.has_ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _RequestHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Site)
        self.server.requested.append(self.path)
        if self.path == "/never":
            self.server.has_ended.wait()
            return
        self.send_response(200)
        for cookie in COOKIES:
            self.send_header("Set-Cookie", cookie)
        self.send_header("Content-Type", "text/html")
        # The strictest policy about scripts from outside the page.
        self.send_header("Content-Security-Policy", "default-src 'unsafe-inline'; require-trusted-types-for 'script'")
        self.end_headers()
        self.wfile.write(PAGES[self.path].encode())

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.has_ended.set()
        server.shutdown()
        thread.join()


@contextmanager
def browser_at(url: str) -> Iterator[PlaywrightBrowser]:
    """Opens a browser with a page."""
    with closing(PlaywrightBrowser(headless=True)) as browser:
        browser.open_page(OpenPage(url))
        yield browser


def evaluate(browser: PlaywrightBrowser, script: str, *, seconds: float = 20.0) -> Event:
    with closing(browser.evaluate(Evaluate(7, script, 0.0))) as exchange:
        return exchange.receive(time.time() + seconds)


def value(browser: PlaywrightBrowser, script: str) -> object:
    event = evaluate(browser, script)
    assert isinstance(event, PageEvaluated), event
    return msgspec.json.decode(event.value)


@needs_chromium
def test_scripts_run_in_pages(site: Site) -> None:
    with browser_at(f"http://localhost:{site.server_port}/") as browser:
        wait_until(lambda: value(browser, "document.title") == "in")
        browser.open_page(OpenPage(f"{site.url}/"))
        wait_until(lambda: value(browser, "location.origin") == site.url)
        assert value(browser, "{a: [1, null, 'ж']}") == {"a": [1, None, "ж"]}
        assert value(browser, "undefined") is None
        event = evaluate(browser, "localStorage.getItem('_token')")
        assert isinstance(event, PageEvaluated)
        assert (event.request_id, event.value) == (7, '"T-12345678"')
        assert {cookie.name: (cookie.value, cookie.path, cookie.host_only) for cookie in event.cookies} == {
            "session": ("C-12345678", "/", True),
            "deep": ("D-1", "/v4", True),
        }, "HttpOnly cookies are included, cookies of other sites are not"
        ends = {cookie.name: cookie.expires for cookie in event.cookies}
        assert ends["session"] is None
        assert ends["deep"] is not None
        assert abs(ends["deep"] - time.time() - 1000) < 60

        # A page that navigates again and again.
        browser.open_page(OpenPage(f"{site.url}/restless"))
        wait_until(lambda: value(browser, "[location.pathname, location.hash]") == ["/restless", "#0"])
        assert site.requested.count("/restless") > 1, "the page never reloaded"

        # A script that never ends does not block the caller.
        begun = time.monotonic()
        assert evaluate(browser, "(() => { while (true) {} })()", seconds=0.5) == Woken()
        assert time.monotonic() - begun < 5
        browser.close()
        assert evaluate(browser, "1") == PageClosed(7, "failed", "no page was opened")

        browser.open_page(OpenPage(f"{site.url}/nobody/"))
        assert value(browser, "location.pathname") == "/nobody/"
        assert evaluate(browser, "nothing.at.all") == PageClosed(7, "failed", "ReferenceError: nothing is not defined")


@needs_chromium
def test_a_page_that_does_not_load_is_reported_and_another_can_be_opened(site: Site) -> None:
    with browser_at(f"{site.url}/never") as browser:
        assert evaluate(browser, "1", seconds=1.0) == Woken()
        browser.open_page(OpenPage("http://127.0.0.1:1/"))
        event = evaluate(browser, "1")
        assert isinstance(event, PageClosed)
        assert event.kind == "failed"
        assert event.detail.startswith("net::ERR_")
        browser.open_page(OpenPage(f"{site.url}/nobody/"))
        assert value(browser, "1 + 1") == 2


@needs_chromium
@pytest.mark.skipif(not chrome.is_root(), reason="only root runs Chrome without its sandbox")
def test_only_root_runs_the_browser_without_its_sandbox(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PlaywrightBrowser(headless=True).warning == "you are root: the browser runs without its sandbox"
    monkeypatch.setattr(playwright_browser, "is_root", lambda: False)
    assert PlaywrightBrowser(headless=True).warning is None
    with browser_at(f"{site.url}/") as browser:
        event = evaluate(browser, "1")
    assert isinstance(event, PageClosed)
    assert "Running as root without --no-sandbox is not supported" in event.detail


@needs_chromium
@pytest.mark.parametrize(
    ("program", "detail"), [("false", "it ended at once, exitCode=1"), ("cat", "unrecognized option")]
)
def test_a_program_that_is_not_a_browser_is_reported(program: str, detail: str) -> None:
    with closing(PlaywrightBrowser(headless=True, executable=program)) as browser:
        browser.open_page(OpenPage("http://127.0.0.1:1/"))
        event = evaluate(browser, "1")
    assert isinstance(event, PageClosed)
    assert detail in event.detail


@needs_chromium
def test_a_profile_that_is_in_use_is_reported(tmp_path: Path) -> None:
    program = tmp_path / "browser"
    output = "[1:1:1127/095341.1:ERROR:process_singleton_posix.cc(345)] Failed to create /p/SingletonLock: File exists"
    program.write_text(f"#!/bin/sh\necho '{output}' >&2; exit 21\n", encoding="utf-8")
    program.chmod(0o700)
    with closing(PlaywrightBrowser(headless=True, executable=str(program))) as browser:
        browser.open_page(OpenPage("http://127.0.0.1:1/"))
        event = evaluate(browser, "1")
    assert isinstance(event, PageClosed)
    assert event.detail == "another browser uses this profile: close it, or choose another profile"


@needs_chromium
def test_a_browser_that_does_not_start_does_not_block_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, started: Callable[[], set[tuple[int, str]]]
) -> None:
    monkeypatch.setattr(playwright_browser, "STOP_SECONDS", 0.5)
    program = tmp_path / "sleeper"
    program.write_text("#!/bin/sh\nexec sleep 1000\n", encoding="utf-8")
    program.chmod(0o700)
    with closing(PlaywrightBrowser(headless=True, executable=str(program))) as browser:
        browser.open_page(OpenPage("http://127.0.0.1:1/"))
        assert evaluate(browser, "1", seconds=0.2) == Woken()
        wait_until(lambda: any(name_of(pid) == "sleep" for pid, _ in started()))
        seen = started()
        begun = time.monotonic()
    assert time.monotonic() - begun < 15
    assert_gone(seen)


# A program that opens a page, runs one script and closes the browser.
ONE_SCRIPT = """
import time
from modelwire.commands import Evaluate, OpenPage
from modelwire_io.browsers import playwright
playwright.STOP_SECONDS = 0.2
browser = playwright.PlaywrightBrowser(headless=True)
browser.open_page(OpenPage("http://127.0.0.1:1/"))
event = browser.evaluate(Evaluate(7, "1", 0.0)).receive(time.time() + {seconds})
browser.close()
print(type(event).__name__, getattr(event, "detail", ""))
"""


@needs_chromium
@pytest.mark.parametrize(
    ("command", "seconds", "expected"),
    [
        ("exit 1", 20.0, "PageClosed Connection closed while reading from the driver"),
        ("cat >/dev/null; exit 1", 0.5, "Woken"),
    ],
)
def test_a_driver_that_does_not_start_does_not_block_the_caller(
    tmp_path: Path, command: str, seconds: float, expected: str
) -> None:
    """A driver may end early, for example if Ctrl-C reaches it, too, or never respond."""
    program = tmp_path / "node"
    program.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\n{command}\n", encoding="utf-8")
    program.chmod(0o700)
    ended = subprocess.run(
        [sys.executable, "-c", ONE_SCRIPT.format(seconds=seconds)],
        env=os.environ
        | {"PLAYWRIGHT_NODEJS_PATH": str(program), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
        timeout=15.0,
        check=True,
    )
    assert ended.stdout.strip() == expected
    driver = int((tmp_path / "pid").read_text(encoding="utf-8"))
    wait_until(lambda: not name_of(driver))


def name_of(pid: int) -> str:
    """The name of a process, or an empty string if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


# Logins with the browser.


class User:
    """A user who logs in, with a client of one style."""

    def __init__(self, style: Style, url: str) -> None:
        self._style = style
        self._url = url
        self.store = MemoryStore()
        self.outputs: list[Output] = []

    async def log_in(self, timeout: float = 30.0) -> None:
        browser = PlaywrightBrowser(headless=True)
        if self._style == "blocking":
            with Client(base_url=self._url, store=self.store, timeout=timeout) as client:
                client.log_in_with_browser("hailuo", browser=browser, on_output=self.outputs.append)
        else:
            async with AsyncClient(base_url=self._url, store=self.store, timeout=timeout) as client:
                await client.log_in_with_browser("hailuo", browser=browser, on_output=self.outputs.append)


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    chosen: Style = request.param
    return chosen


@pytest.fixture
def started() -> Callable[[], set[tuple[int, str]]]:
    """Returns the processes that the test has started and that still run."""
    before = descendants(os.getpid())
    return lambda: descendants(os.getpid()) - before


@pytest.fixture
def run(style: Style) -> Callable[..., object]:
    """Runs an async function in the event loop of the style."""
    return lambda function, *arguments: anyio.run(function, *arguments, backend=backend_of(style))


@needs_chromium
def test_a_login_is_stored(site: Site, style: Style, run: Callable[..., object], started: Callable[[], object]) -> None:
    user = User(style, site.url)
    run(user.log_in)
    assert user.outputs[0] == LoginRequired("Hailuo AI", site.url)
    stored = msgspec.convert(user.store.load("hailuo", site.url), HailuoCredentials)
    assert (stored.token, stored.uuid, stored.device_id) == ("T-12345678", "U-12345678", "D-12345678")
    assert "Chrome/" in stored.user_agent
    assert [cookie.name for cookie in stored.cookies] == ["deep", "session"]
    wait_until(lambda: not started())


@needs_chromium
@pytest.mark.parametrize("style", ["blocking"], indirect=True)
def test_a_login_that_the_user_does_not_complete_times_out(
    site: Site, style: Style, run: Callable[..., object], started: Callable[[], object]
) -> None:
    user = User(style, f"{site.url}/nobody")
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="nobody has logged in to Hailuo AI within 1 seconds"):
        run(user.log_in, 1.0)
    assert time.monotonic() - begun < 15
    assert user.store.load("hailuo", f"{site.url}/nobody") is None
    wait_until(lambda: not started())


@needs_chromium
@pytest.mark.parametrize("style", ["asyncio", "trio"], indirect=True)
def test_a_cancelled_login_leaves_no_browser_behind(
    site: Site, style: Style, run: Callable[..., object], started: Callable[[], set[tuple[int, str]]]
) -> None:
    user = User(style, f"{site.url}/nobody")
    seen: set[tuple[int, str]] = set()

    async def cancel() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(user.log_in)
            while "/nobody/" not in site.requested:
                await anyio.sleep(0.02)
            seen.update(started())
            tasks.cancel_scope.cancel()

    site.requested.clear()
    run(cancel)
    assert_gone(seen)
    assert user.store.load("hailuo", f"{site.url}/nobody") is None
