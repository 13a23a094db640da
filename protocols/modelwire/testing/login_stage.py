"""A simulation: a login flow, a browser and a clock of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from modelwire.commands import Evaluate
from modelwire.events import (
    BodyReceived,
    Cancel,
    Event,
    PageClosed,
    PageEndKind,
    PageEvaluated,
    RequestFailed,
    ResponseEnded,
    ResponseStarted,
    Start,
    Woken,
)
from modelwire.flow import Flow
from modelwire.formats.cookies import Cookies
from modelwire.json import JsonObject
from modelwire.outputs import CredentialsChanged

from .stage import MAX_EVENTS, NOW, RESTART_SECONDS, SECRET_ENTROPY
from .watched_flow import WatchedFlow

_NUMBERED = (BodyReceived, ResponseStarted, ResponseEnded, RequestFailed, PageEvaluated, PageClosed)


class Page(NamedTuple):
    """A page in the browser: the value of the flow's script there, as JSON, and the cookies of the page's host."""

    value: str
    cookies: Cookies = ()


class LoginStage:
    """A login flow and a browser that shows the `pages` one after the other, with methods for other things to happen.

    Every event goes through a `WatchedFlow`, so each method raises `AssertionError` if the flow breaks the contract.
    """

    def __init__(self, make_flow: Callable[[], Flow], pages: Sequence[Page]) -> None:
        self.now = NOW
        self.pages = pages
        self.watched_flows: list[WatchedFlow] = []
        self.credentials: JsonObject | None = None
        self._pages_shown = 0
        self._open(make_flow)

    def _open(self, make_flow: Callable[[], Flow]) -> None:
        last_request = self.watched_flows[-1].last_request if self.watched_flows else 0
        self.watched = WatchedFlow(make_flow, self.now, last_request)
        self.watched_flows.append(self.watched)
        self._last_page = Page("nothing")  # the last one that this flow has seen; a restored flow has a new browser

    def go_on(self) -> None:
        """Deliver the next regular event: `Start`, a due `Woken`, or the next page."""
        if self.watched.wait is None:
            self.deliver(Start(b"login", SECRET_ENTROPY))
        elif isinstance(self.watched.wait, Evaluate):
            # The browser stays on the last page, and a restored login sees it at once.
            self.show(self.pages[min(self._pages_shown, len(self.pages) - 1)])
            self._pages_shown += 1
        else:
            self.time_out()

    def finish(self) -> None:
        """Deliver regular events until the flow has finished."""
        for _ in range(MAX_EVENTS):
            if self.watched.is_over:
                return
            self.go_on()
        raise AssertionError(
            f"the login did not finish within {MAX_EVENTS} events: it must sleep between two looks at the page"
        )

    def show(self, page: Page) -> None:
        """The script under way returns the value of this page."""
        if self.watched.open_script is not None:
            self._last_page = page
            self.deliver(PageEvaluated(self.watched.open_script, page.value, page.cookies))

    def close(self, kind: PageEndKind, detail: str) -> None:
        """The page closes, and with it the script under way."""
        if self.watched.open_script is not None:
            self.deliver(PageClosed(self.watched.open_script, kind, detail))

    def close_quoting(self) -> None:
        """The browser fails with a message that quotes its last page."""
        page = self._last_page
        self.close("failed", " ".join([page.value, *(cookie.value for cookie in page.cookies)]))

    def inject(self, event: Event) -> None:
        """Deliver any event. Its request id is relative to the last one that the flow used."""
        if isinstance(event, _NUMBERED):
            event = msgspec.structs.replace(event, request_id=self.watched.last_request + event.request_id)
        self.deliver(event)

    def deliver_stale(self) -> None:
        """Deliver events of scripts that are over and of requests that were never sent. The flow must ignore them."""
        last = self.watched.last_request
        for request_id in {last - 1, last, last + 1} - {self.watched.open_script}:
            self._check_ignored(PageEvaluated(request_id, "{}"))
            self._check_ignored(PageClosed(request_id, "closed"))
        self._check_ignored(ResponseStarted(last, 200, ()))

    def _check_ignored(self, event: Event) -> None:
        batch = self.deliver(event)
        assert batch == [], f"{event!r} is stale, so the flow must ignore it, but handle returned {batch}"

    def wake(self) -> None:
        """Wake the flow, even if it is too early."""
        self.deliver(Woken())

    def time_out(self) -> None:
        """Nothing happens until the wait's deadline; then the flow is woken."""
        self.now = max(self.now, self.watched.flow.deadline)
        self.deliver(Woken())

    def pass_time(self, seconds: float) -> None:
        """The caller's clock jumps, forward or back, without a `Woken`."""
        self.now += seconds

    def crash(self) -> None:
        """The process ends; another one restores the flow from its snapshot."""
        self.now += RESTART_SECONDS
        self._open(partial(type(self.watched.flow).restore, self.watched.flow.snapshot()))

    def cancel(self) -> None:
        """The user cancels the login."""
        self.deliver(Cancel())
        assert self.watched.is_over, "the login was cancelled, but did not return Finished"

    def deliver(self, event: Event) -> list[object]:
        """Hand the flow an event, and store the credentials that it emits."""
        self.watched.now = self.now
        batch = self.watched.deliver(event)
        for item in batch:
            if isinstance(item, CredentialsChanged):
                self.credentials = item.credentials
        return list(batch)
