"""A login and the browser that it is made in, on a clock of their own."""

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

from .session import Session
from .stage import MOST_STEPS, NOW, RESTART, SECRET_ENTROPY

_NUMBERED = (BodyReceived, ResponseStarted, ResponseEnded, RequestFailed, PageEvaluated, PageClosed)


class Page(NamedTuple):
    """What a browser shows: what a script comes to in the page, as JSON, and the cookies of its host."""

    value: str
    cookies: Cookies = ()


class LoginStage:
    """A login that gets what is on the `pages`, one after the other, unless something is put between them.

    Everything goes through a `Session`: each method raises `AssertionError` where the flow breaks the contract.
    """

    def __init__(self, make_flow: Callable[[], Flow], pages: Sequence[Page]) -> None:
        self.now = NOW
        self.pages = pages
        self.sessions: list[Session] = []
        self.credentials: JsonObject | None = None
        self._shown = 0
        self._open(make_flow)

    def _open(self, make_flow: Callable[[], Flow]) -> None:
        last_request = self.sessions[-1].last_request if self.sessions else 0
        self.session = Session(make_flow, self.now, last_request)
        self.sessions.append(self.session)
        self._last = Page("nothing")  # that this flow has seen; another one's browser is gone

    def go_on(self) -> None:
        """The next thing, as it should happen: the start, a waking, the page that comes next."""
        if self.session.wait is None:
            self.deliver(Start(b"login", SECRET_ENTROPY))
        elif isinstance(self.session.wait, Evaluate):
            # A person stays on the last page; somebody who begins again sees it at once.
            self.show(self.pages[min(self._shown, len(self.pages) - 1)])
            self._shown += 1
        else:
            self.oversleep()

    def finish(self) -> None:
        """All that is left happens as it should."""
        for _ in range(MOST_STEPS):
            if self.session.is_over:
                return
            self.go_on()
        raise AssertionError("the login does not end")

    def show(self, page: Page) -> None:
        """The script under way comes to what is on this page."""
        if self.session.open_script is not None:
            self._last = page
            self.deliver(PageEvaluated(self.session.open_script, page.value, page.cookies))

    def close(self, kind: PageEndKind, detail: str) -> None:
        """There is no page any more."""
        if self.session.open_script is not None:
            self.deliver(PageClosed(self.session.open_script, kind, detail))

    def close_quoting(self) -> None:
        """The browser breaks, and quotes the page that it showed last."""
        self.close("failed", " ".join([self._last.value, *(cookie.value for cookie in self._last.cookies)]))

    def raw(self, event: Event) -> None:
        """Any event at all. The id of its request is counted from that of the last."""
        if isinstance(event, _NUMBERED):
            event = msgspec.structs.replace(event, request_id=self.session.last_request + event.request_id)
        self.deliver(event)

    def stale(self) -> None:
        """What comes of scripts that are over, and of requests that were never sent: nothing comes of it."""
        last = self.session.last_request
        for request_id in {last - 1, last, last + 1} - {self.session.open_script}:
            for event in (PageEvaluated(request_id, "{}"), PageClosed(request_id, "closed")):
                assert self.deliver(event) == [], f"{event!r} is nothing to this flow, and was answered"
        assert self.deliver(ResponseStarted(last, 200, ())) == [], "a response, though nothing was asked"

    def wake(self) -> None:
        """The flow is woken, be it too early."""
        self.deliver(Woken())

    def oversleep(self) -> None:
        """The time of the wait comes, and nothing else happens."""
        self.now = max(self.now, self.session.flow.deadline)
        self.deliver(Woken())

    def pass_time(self, seconds: float) -> None:
        """The caller's clock jumps, forward or back, and nobody wakes the flow."""
        self.now += seconds

    def crash(self) -> None:
        """The process ends, and another goes on with the snapshot."""
        self.now += RESTART
        self._open(partial(type(self.session.flow).restore, self.session.flow.snapshot()))

    def cancel(self) -> None:
        """The person has had enough."""
        self.deliver(Cancel())
        assert self.session.is_over, "cancelled, and not over"

    def deliver(self, event: Event) -> list[object]:
        """Hand the flow an event, and take note of the credentials that it tells."""
        self.session.now = self.now
        batch = self.session.deliver(event)
        for item in batch:
            if isinstance(item, CredentialsChanged):
                self.credentials = item.credentials
        return list(batch)
