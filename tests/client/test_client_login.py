"""Logging in with a browser or from a file, and logging out, through `Client` and `AsyncClient`."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest

from emulated_clients import AnyClient, result
from modelwire.commands import Evaluate, OpenPage
from modelwire.errors import DeadlineExceeded, InvalidInput, PageLost
from modelwire.events import Event, PageClosed, PageEvaluated, Woken
from modelwire.outputs import CredentialsChanged, LoginRequired, Output
from modelwire.providers.hailuo_login import READ_PAGE
from modelwire_io import AsyncClient, Client
from modelwire_io.store import MemoryStore
from modelwire_io.transports import AsyncMemoryTransport, MemoryTransport
from modelwire_io.transports.memory import BASE_URL
from transport_variants import Style

pytestmark = pytest.mark.anyio

SITE = f"{BASE_URL}/hailuo"
# Values of the page: before and after a person has logged in.
LOGGED_OUT = msgspec.json.encode({"origin": BASE_URL}).decode()
LOGGED_IN = msgspec.json.encode(
    {"origin": BASE_URL, "token": "emulated-token", "uuid": "U-1", "device_id": "D-1"}
).decode()


class PreparedBrowser:
    """A browser whose page yields these values, one after the other, and then hangs."""

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
        self._is_closed = threading.Event()

    def receive(self, until: float) -> Event:
        if not self._browser.values:
            # The page hangs until the exchange is closed.
            self._browser.is_waiting.set()
            self._is_closed.wait(0.2)
            return Woken()
        value = self._browser.values.pop(0)
        if isinstance(value, PageClosed):
            return msgspec.structs.replace(value, request_id=self._request_id)
        return PageEvaluated(self._request_id, value)

    def close(self) -> None:
        self._is_closed.set()


class User:
    """A user whose clients have one style and one store. `outputs` are those of their logins."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self.store = MemoryStore()
        self.outputs: list[Output] = []

    @asynccontextmanager
    async def client(self, **configuration: Any) -> AsyncIterator[AnyClient]:
        settings: dict[str, Any] = {"base_url": {"hailuo": SITE}, "store": self.store, "environment": {}}
        settings |= configuration
        if self._style == "blocking":
            with Client(transport=MemoryTransport(), **settings) as client:
                yield client
        else:
            async with AsyncClient(transport=AsyncMemoryTransport(), **settings) as client:
                yield client

    async def log_in(self, browser: PreparedBrowser, provider: str = "hailuo", **options: Any) -> None:
        async with self.client() as client:
            await result(
                client.log_in_with_browser(provider, browser=browser, on_output=self.outputs.append, **options)
            )


@pytest.fixture
def user(style: Style) -> User:
    return User(style)


async def test_a_login_is_stored_and_a_chat_uses_it(user: User) -> None:
    browser = PreparedBrowser(LOGGED_OUT, LOGGED_OUT, LOGGED_IN)
    await user.log_in(browser)
    assert browser.opened == [f"{SITE}/"]
    assert browser.scripts == {READ_PAGE}
    assert browser.is_closed.is_set()
    assert [type(output) for output in user.outputs] == [LoginRequired, CredentialsChanged]
    stored = user.store.load("hailuo", SITE)
    assert stored is not None
    assert (stored["token"], stored["uuid"]) == ("emulated-token", "U-1")
    async with user.client() as client:
        assert "“Hello”" in await result(client.chat("hailuo", "Hello").read())


async def test_a_login_needs_no_callback(user: User) -> None:
    async with user.client() as client:
        await result(client.log_in_with_browser("hailuo", browser=PreparedBrowser(LOGGED_IN)))
    assert user.store.load("hailuo", SITE) is not None


async def test_a_browser_does_not_block_the_event_loop(user: User, style: Style) -> None:
    browser = PreparedBrowser(LOGGED_IN)
    await user.log_in(browser)
    assert (threading.get_ident() in browser.threads) == (style == "blocking")


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (PageClosed(0, "closed"), PageLost, "the page was closed too early"),
        (PageClosed(0, "failed", "no display"), PageLost, "the browser could not show the page: no display"),
        ("{}", Exception, "missing required field `origin`"),
    ],
)
async def test_a_failed_login_closes_the_browser_and_stores_nothing(
    user: User, value: Any, error: type[Exception], message: str
) -> None:
    browser = PreparedBrowser(LOGGED_OUT, value)
    with pytest.raises(error, match=message):
        await user.log_in(browser)
    assert browser.is_closed.is_set()
    assert user.store.load("hailuo", SITE) is None


async def test_a_page_that_hangs_does_not_delay_the_deadline(user: User) -> None:
    browser = PreparedBrowser()
    with pytest.raises(DeadlineExceeded, match="nobody has logged in to Hailuo AI within 300 seconds"):
        await user.log_in(browser)
    assert browser.is_closed.is_set()


@pytest.mark.parametrize("style", ["asyncio", "trio"], indirect=True)
async def test_a_cancelled_login_closes_the_browser(user: User) -> None:
    browser = PreparedBrowser(LOGGED_OUT)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(user.log_in, browser)
        await anyio.to_thread.run_sync(browser.is_waiting.wait)
        tasks.cancel_scope.cancel()
    assert browser.is_closed.is_set()
    assert user.store.load("hailuo", SITE) is None


async def test_an_exception_of_the_callback_ends_the_login(user: User) -> None:
    def stop(output: Output) -> None:
        raise KeyboardInterrupt

    browser = PreparedBrowser(LOGGED_IN)
    async with user.client() as client:
        with pytest.raises(KeyboardInterrupt):
            await result(client.log_in_with_browser("hailuo", browser=browser, on_output=stop))
    assert browser.is_closed.is_set()
    assert browser.opened == []


@pytest.mark.parametrize(
    ("provider", "options", "message"),
    [
        ("cromicle", {}, "Cromicle has no page to log in on: ask away"),
        ("arta", {}, "ARTA has no page to log in on: supply your own api key"),
        ("hailou", {}, "did you mean 'hailuo'"),
        ("hailuo", {"login_uri": "x"}, "did you mean 'login_url'"),
    ],
)
async def test_a_login_with_invalid_arguments_opens_no_page(
    user: User, provider: str, options: dict[str, Any], message: str
) -> None:
    browser = PreparedBrowser(LOGGED_IN)
    with pytest.raises(InvalidInput, match=message):
        await user.log_in(browser, provider, **options)
    assert browser.opened == []


async def test_the_login_page_is_an_option_or_a_variable_or_the_site(user: User) -> None:
    async with user.client() as client:
        assert client.login_url("hailuo") == SITE
    environment = {"HAILUO_LOGIN_URL": "https://desk.example/vnc"}
    browser = PreparedBrowser(LOGGED_IN, LOGGED_IN)
    async with user.client(environment=environment) as client:
        assert client.login_url("hailuo") == "https://desk.example/vnc"
        await result(client.log_in_with_browser("hailuo", browser=browser, on_output=user.outputs.append))
        options = {"login_url": "https://other.example"}
        await result(client.log_in_with_browser("hailuo", browser=browser, on_output=user.outputs.append, **options))
    urls = [output.url for output in user.outputs if isinstance(output, LoginRequired)]
    assert urls == ["https://desk.example/vnc", "https://other.example"]
    assert browser.opened == [f"{SITE}/"] * 2


async def test_a_login_is_imported_from_a_file(user: User) -> None:
    headers = [{"name": "token", "value": "emulated-token"}]
    har = {"log": {"entries": [{"request": {"url": f"{SITE}/v4?uuid=U-2", "headers": headers}}]}}
    async with user.client() as client:
        await result(client.import_login("hailuo", msgspec.json.encode(har)))
        assert "“Hello”" in await result(client.chat("hailuo", "Hello").read())
        with pytest.raises(InvalidInput, match="there is no login to Hailuo AI in the file"):
            await result(client.import_login("hailuo", b"[]"))
        await result(client.import_login("hailuo", b"[]", token="T-supplied"))
    stored = user.store.load("hailuo", SITE)
    assert stored is not None
    assert stored["token"] == "T-supplied"


async def test_logging_out_removes_one_login(user: User) -> None:
    user.store.save("hailuo", "https://www.hailuo.ai", {"token": "other"})
    user.store.save("hailuo", SITE, {"token": "T-1"})
    async with user.client() as client:
        assert await result(client.log_out("hailuo")) is True
        assert await result(client.log_out("hailuo")) is False
    assert user.store.load("hailuo", SITE) is None
    assert user.store.load("hailuo", "https://www.hailuo.ai") == {"token": "other"}


async def test_without_playwright_the_message_says_what_to_install(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelwire_io.browsers.playwright.find_spec", lambda name: None)
    async with user.client() as client:
        with pytest.raises(InvalidInput, match=r"pip install 'modelwire\[login\]'"):
            await result(client.log_in_with_browser("hailuo"))
