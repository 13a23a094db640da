"""A wrapper around a flow that records every call of `handle`."""

from __future__ import annotations

import re

import msgspec

from modelwire import __version__
from modelwire.commands import Command, SendRequest
from modelwire.errors import LocalProtocolError, RecordingError
from modelwire.events import Event, Start
from modelwire.flow import Flow
from modelwire.json import JsonObject
from modelwire.outputs import Output
from modelwire.redaction import SHORTEST_SECRET

from .format import FORMAT, End, Head, RecordedCall
from .placeholders import Placeholders, choose_placeholders, filter_trivial
from .rendering import ReplayedCall, all_strings, call_as_data, credentials_without_bytes, render, render_session
from .replay import Replay

_PASSWORD = re.compile(r"https?://[^/?#:@]*:([^/?#@]+)@")


class Recorder:
    """Wraps a flow, and records each event with what the flow returned for it.

    Create it before the flow starts, and give it to a driver instead of the flow.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._snapshot: JsonObject = msgspec.json.decode(flow.snapshot())
        self._credentials = credentials_without_bytes(flow.credentials)
        self._session: list[ReplayedCall] = []

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """Call the flow's `handle`, and record the call.

        Raises what the flow raises, and `LocalProtocolError` for a `Start` without `secret_entropy`: with the recorded
        entropy, a reader could draw the session's secrets again.
        """
        if isinstance(event, Start) and not event.secret_entropy:
            raise LocalProtocolError("a recorded session needs secret_entropy in its Start event")
        try:
            items = self.flow.handle(event, now)
        except LocalProtocolError:
            raise
        except Exception as error:
            self._session.append(call_as_data(now, event, [], error))
            raise
        self._session.append(call_as_data(now, event, items))
        return items

    @property
    def deadline(self) -> float:
        """The end of the current wait (Unix time, seconds)."""
        return self.flow.deadline

    def lines(self) -> list[str]:
        """The recording so far, at any time, as lines without line ends."""
        head, *rest = self._parts()
        lines = [msgspec.json.encode(part).decode() for part in (head, *rest)]
        try:
            fingerprints = Replay(lines, flow=type(self.flow)).fingerprints()
        except RecordingError:
            return lines
        return [msgspec.json.encode(msgspec.structs.replace(head, fingerprints=fingerprints)).decode(), *lines[1:]]

    def _parts(self) -> tuple[Head | RecordedCall | End, ...]:
        secrets = filter_trivial([*self.flow.secrets, *self._passwords()])
        texts = all_strings([secrets, self._snapshot, self._credentials, self._session])
        chosen = choose_placeholders(secrets, "\n".join(texts))
        placeholders = Placeholders(dict(zip(secrets, chosen, strict=True)))
        began = self._session[0].now if self._session else 0.0
        head = Head(
            format=FORMAT,
            modelwire=__version__,
            flow=type(self.flow).__name__,
            began=began,
            snapshot=render(self._snapshot, placeholders),
            credentials=render(self._credentials, placeholders),
            limits=self.flow.limits,
            placeholders=chosen,
        )
        calls = [
            RecordedCall(at=call.now - began, event=call.event, items=call.items, raised=call.raised)
            for call in render_session(self._session, placeholders)
        ]
        return head, *calls, End(len(calls))

    def _passwords(self) -> list[str]:
        """The passwords in the URLs of requests (`https://user:password@...`); they are not among `flow.secrets`."""
        items = [item for call in self._session for item in call.items]
        urls = [item["request"]["url"] for item in items if item["type"] == SendRequest.__name__]
        found = dict.fromkeys(match[1] for url in urls if (match := _PASSWORD.match(url)))
        return [text for text in found if len(text) >= SHORTEST_SECRET and text not in self.flow.secrets]
