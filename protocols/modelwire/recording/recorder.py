"""The flight recorder: it stands before a flow, and remembers all that passes."""

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

from .format import FORMAT, End, Head, Step
from .placeholders import Placeholders, choose_placeholders, filter_trivial
from .rendering import Passed, all_strings, call_as_data, credentials_without_bytes, render, render_session
from .replay import Replay

_PASSWORD = re.compile(r"https?://[^/?#:@]*:([^/?#@]+)@")


class Recorder:
    """Stands before a flow, hands everything on to it, and remembers what passed.

    Make it before the flow is started, and give it to a driver in the flow's place.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._snapshot: JsonObject = msgspec.json.decode(flow.snapshot())
        self._credentials = credentials_without_bytes(flow.credentials)
        self._session: list[Passed] = []

    def handle(self, event: Event, now: float) -> list[Command | Output]:
        """What the flow answers.

        Raises `LocalProtocolError` for a `Start` without secret entropy, besides what the flow raises: with the
        recorded entropy, anybody could draw the session's secrets again.
        """
        if isinstance(event, Start) and not event.secret_entropy:
            raise LocalProtocolError("a session that is recorded has to be started with secret_entropy")
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
        """When the wait under way must be over (Unix time, seconds)."""
        return self.flow.deadline

    def lines(self) -> list[str]:
        """The recording as it stands, at any moment, in lines without line ends."""
        head, *rest = self._parts()
        lines = [msgspec.json.encode(part).decode() for part in (head, *rest)]
        try:
            fingerprints = Replay(lines, flow=type(self.flow)).fingerprints()
        except RecordingError:
            return lines
        return [msgspec.json.encode(msgspec.structs.replace(head, fingerprints=fingerprints)).decode(), *lines[1:]]

    def _parts(self) -> tuple[Head | Step | End, ...]:
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
        steps = [
            Step(at=passed.now - began, event=passed.event, items=passed.items, raised=passed.raised)
            for passed in render_session(self._session, placeholders)
        ]
        return head, *steps, End(len(steps))

    def _passwords(self) -> list[str]:
        """The passwords inside the addresses that requests went to: a flow knows nothing of them."""
        items = [item for passed in self._session for item in passed.items]
        urls = [item["request"]["url"] for item in items if item["type"] == SendRequest.__name__]
        found = dict.fromkeys(match[1] for url in urls if (match := _PASSWORD.match(url)))
        return [text for text in found if len(text) >= SHORTEST_SECRET and text not in self.flow.secrets]
