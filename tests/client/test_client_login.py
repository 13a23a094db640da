"""Logging in and out through the clients: with a browser that is prepared, from a file, and back out again."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import msgspec
import pytest

from modelwire.commands import Evaluate, OpenPage
from modelwire.errors import DeadlineExceeded, InvalidInput, PageLost
from modelwire.events import Event, PageClosed, PageEvaluated, Woken
from modelwire.outputs import CredentialsChanged, LoginRequired, Output
from modelwire.providers.hailuo_login import READ_PAGE
from modelwire_io import AsyncClient, Client
from modelwire_io.store import MemoryStore
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports.memory import BASE_URL
from transport_variants import STYLES, Style, backend_of

T = TypeVar("T")

SITE = f"{BASE_URL}/hailuo"
NOBODY = msgspec.json.encode({"origin": BASE_URL}).decode()
SOMEBODY = msgspec.json.encode(
    {"origin": BASE_URL, "token": "emulated-token", "uuid": "U-1", "device_id": "D-1"}
).decode()


class PreparedBrowser:
    """A browser whose page comes to these values, one after the other, and then to nothing any more."""

    def __init__(self, *values: str | PageClosed) -> None:
        self.values = list(values)
        self.opened: list[str] = []
        self.scripts: set[str] = set()
        self.threads: set[int] = set()
        self.is_waiting = threading.Event()
        self.is_closed = threading.Event()

    def open_page(self, command: OpenPage) -> None:
        self.opened.append(command.url)
        self.threads.add(threading.get_ident())

    def evaluate(self, command: Evaluate) -> PreparedExchange:
        self.scripts.add(command.script)
        return PreparedExchange(self, command.request_id)

    def close(self) -> None:
        self.is_closed.set()


class PreparedExchange:
    def __init__(self, browser: PreparedBrowser, request_id: int) -> None:
        self._browser = browser
        self._request_id = request_id
        self._is_over = threading.Event()

    def receive(self, until: float) -> Event:
        if not self._browser.values:
            # As a page does that hangs: nothing comes, until nobody wants it any more.
            self._browser.is_waiting.set()
            self._is_over.wait(0.2)
            return Woken()
        value = self._browser.values.pop(0)
        if isinstance(value, PageClosed):
            return msgspec.structs.replace(value, request_id=self._request_id)
        return PageEvaluated(self._request_id, value)

    def close(self) -> None:
        self._is_over.set()


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> Style:
    found: Style = request.param
    return found


@pytest.fixture
def anyio_backend(style: Style) -> str:
    return backend_of(style)


class User:
    """A client of one style, and what it keeps."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self.store = MemoryStore()
        self.told: list[Output] = []

    @asynccontextmanager
    async def client(self, **given: Any) -> AsyncIterator[Client | AsyncClient]:
        settings: dict[str, Any] = {"base_url": {"hailuo": SITE}, "store": self.store, "environment": {}} | given
        if self._style == "blocking":
            with Client(transport=MemoryTransport(), **settings) as client:
                yield client
        else:
            async with AsyncClient(transport=AsyncMemoryTransport(), **settings) as client:
                yield client

    async def log_in(self, browser: PreparedBrowser, provider: str = "hailuo", **options: Any) -> None:
        async with self.client() as client:
            await done(client.log_in_with_browser(provider, browser=browser, show=self.told.append, **options))


async def done(value: T | Awaitable[T]) -> T:
    """What a call gave, awaited where it is to be."""
    if isinstance(value, Awaitable):
        awaited: T = await value
        return awaited
    return value


@pytest.fixture
def user(style: Style) -> User:
    return User(style)


pytestmark = pytest.mark.anyio


async def test_a_login_is_kept_and_a_chat_finds_it(user: User) -> None:
    browser = PreparedBrowser(NOBODY, NOBODY, SOMEBODY)
    await user.log_in(browser)
    assert browser.opened == [f"{SITE}/"]
    assert browser.scripts == {READ_PAGE}
    assert browser.is_closed.is_set()
    assert [type(output) for output in user.told] == [LoginRequired, CredentialsChanged]
    kept = user.store.load("hailuo", SITE)
    assert kept is not None
    assert (kept["token"], kept["uuid"]) == ("emulated-token", "U-1")
    async with user.client() as client:
        assert "“Hello”" in await done(client.chat("hailuo", "Hello").read())


async def test_nothing_need_be_shown(user: User) -> None:
    async with user.client() as client:
        await done(client.log_in_with_browser("hailuo", browser=PreparedBrowser(SOMEBODY)))
    assert user.store.load("hailuo", SITE) is not None


async def test_an_event_loop_is_not_kept_waiting(user: User, style: Style) -> None:
    browser = PreparedBrowser(SOMEBODY)
    await user.log_in(browser)
    assert (threading.get_ident() in browser.threads) == (style == "blocking")


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        (PageClosed(0, "closed"), PageLost, "the page was closed too early"),
        (PageClosed(0, "failed", "no display"), PageLost, "the browser could not show the page: no display"),
        ("{}", Exception, "missing required field `origin`"),
    ],
)
async def test_a_login_that_comes_to_nothing_closes_the_browser(
    user: User, value: Any, error: type[Exception], said: str
) -> None:
    browser = PreparedBrowser(NOBODY, value)
    with pytest.raises(error, match=said):
        await user.log_in(browser)
    assert browser.is_closed.is_set()
    assert user.store.load("hailuo", SITE) is None


async def test_a_page_that_hangs_does_not_hold_the_deadline(user: User) -> None:
    browser = PreparedBrowser()
    with pytest.raises(DeadlineExceeded, match="nobody has logged in to Hailuo AI within 300 seconds"):
        await user.log_in(browser)
    assert browser.is_closed.is_set()


@pytest.mark.parametrize("style", ["asyncio", "trio"], indirect=True)
async def test_who_is_cancelled_closes_the_browser(user: User) -> None:
    browser = PreparedBrowser(NOBODY)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(user.log_in, browser)
        await anyio.to_thread.run_sync(browser.is_waiting.wait)
        tasks.cancel_scope.cancel()
    assert browser.is_closed.is_set()
    assert user.store.load("hailuo", SITE) is None


async def test_what_is_shown_may_end_it(user: User) -> None:
    def stop(output: Output) -> None:
        raise KeyboardInterrupt

    browser = PreparedBrowser(SOMEBODY)
    async with user.client() as client:
        with pytest.raises(KeyboardInterrupt):
            await done(client.log_in_with_browser("hailuo", browser=browser, show=stop))
    assert browser.is_closed.is_set()
    assert browser.opened == []


@pytest.mark.parametrize(
    ("provider", "options", "said"),
    [
        ("cromicle", {}, "Cromicle has no page to log in on: ask away"),
        ("arta", {}, "ARTA has no page to log in on: bring your own api key"),
        ("hailou", {}, "did you mean 'hailuo'"),
        ("hailuo", {"login_uri": "x"}, "did you mean 'login_url'"),
    ],
)
async def test_a_login_that_cannot_work_opens_nothing(
    user: User, provider: str, options: dict[str, Any], said: str
) -> None:
    browser = PreparedBrowser(SOMEBODY)
    with pytest.raises(InvalidInput, match=said):
        await user.log_in(browser, provider, **options)
    assert browser.opened == []


async def test_where_to_log_in(user: User) -> None:
    async with user.client() as client:
        assert client.login_url("hailuo") == SITE
    environment = {"HAILUO_LOGIN_URL": "https://desk.example/vnc"}
    browser = PreparedBrowser(SOMEBODY, SOMEBODY)
    async with user.client(environment=environment) as client:
        assert client.login_url("hailuo") == "https://desk.example/vnc"
        await done(client.log_in_with_browser("hailuo", browser=browser, show=user.told.append))
        given = {"login_url": "https://other.example"}
        await done(client.log_in_with_browser("hailuo", browser=browser, show=user.told.append, **given))
    places = [output.url for output in user.told if isinstance(output, LoginRequired)]
    assert places == ["https://desk.example/vnc", "https://other.example"]
    assert browser.opened == [f"{SITE}/"] * 2


async def test_a_file_is_imported(user: User) -> None:
    headers = [{"name": "token", "value": "emulated-token"}]
    har = {"log": {"entries": [{"request": {"url": f"{SITE}/v4?uuid=U-2", "headers": headers}}]}}
    async with user.client() as client:
        await done(client.import_login("hailuo", msgspec.json.encode(har)))
        assert "“Hello”" in await done(client.chat("hailuo", "Hello").read())
        with pytest.raises(InvalidInput, match="there is no login to Hailuo AI in the file"):
            await done(client.import_login("hailuo", b"[]"))
        await done(client.import_login("hailuo", b"[]", token="T-brought"))
    kept = user.store.load("hailuo", SITE)
    assert kept is not None
    assert kept["token"] == "T-brought"


async def test_logging_out_forgets_one_login(user: User) -> None:
    user.store.save("hailuo", "https://www.hailuo.ai", {"token": "other"})
    user.store.save("hailuo", SITE, {"token": "T-1"})
    async with user.client() as client:
        assert await done(client.log_out("hailuo")) is True
        assert await done(client.log_out("hailuo")) is False
    assert user.store.load("hailuo", SITE) is None
    assert user.store.load("hailuo", "https://www.hailuo.ai") == {"token": "other"}


async def test_without_playwright_it_says_what_to_install(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelwire_io.browsers.playwright.find_spec", lambda name: None)
    async with user.client() as client:
        with pytest.raises(InvalidInput, match=r"pip install 'modelwire\[login\]'"):
            await done(client.log_in_with_browser("hailuo"))
