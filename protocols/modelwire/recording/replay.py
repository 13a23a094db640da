"""Playing a recording back: the same events at the same times, through the flow as it is now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, pairwise, zip_longest
from typing import Any, get_type_hints

import msgspec

from modelwire.catalog import PROVIDERS
from modelwire.commands import AbortRequest, Command, Evaluate, Finished, OpenPage, SendRequest, Sleep
from modelwire.download import ImageDownload
from modelwire.engine.entropy import Entropy
from modelwire.errors import RecordingError
from modelwire.events import BodyReceived, Event
from modelwire.flow import Flow
from modelwire.json import JsonObject, JsonValue
from modelwire.outputs import Output, TextDelta
from modelwire.redaction import PLACEHOLDER, printable

from .difference import Difference
from .format import Head, Moment, Recording, parse_recording
from .placeholders import GeneratedSecret, Placeholders, find_generated, fingerprints_of, placeholder_map
from .rendering import Passed, call_as_data, render_session

_COMMANDS = (SendRequest, AbortRequest, OpenPage, Evaluate, Sleep, Finished)
# Larger chunks are not cut into single bytes: it would take long, and show no more.
_MOST_BYTEWISE = 1024
_SIZE = re.compile(r"\d+(?= (?:bytes|characters)\b)")


def find_flow(name: str, more: Iterable[type[Flow]] = ()) -> type[Flow]:
    """The flow of this class name, among those of the catalog and `more`. Raises `RecordingError` for none."""
    logins = (provider.login for provider in PROVIDERS.values() if provider.login is not None)
    flows = (provider.flow for provider in PROVIDERS.values())
    known: Iterator[type[Flow]] = chain([ImageDownload], flows, logins, more)
    found = next((flow for flow in known if flow.__name__ == name), None)
    if found is None:
        raise RecordingError(f"the recording is of the flow {printable(name, 60)!r}, which is not at hand")
    return found


class Replay:
    """Plays a recording through its flow, or through `flow`, and compares what comes with what came.

    With `rechunk`, bodies are cut anew at random, the same for the same number: what the network did to them must
    make no difference. Raises `RecordingError` for a recording that cannot be played.
    """

    def __init__(
        self,
        recording: Recording | str | Iterable[str],
        *,
        flow: type[Flow] | None = None,
        rechunk: int | None = None,
    ) -> None:
        self.recording = recording if isinstance(recording, Recording) else parse_recording(recording)
        self._flow = _restore(self.recording.head, flow or find_flow(self.recording.head.flow))
        self._knife = None if rechunk is None else _Rechunker(rechunk)
        self._runs = _runs(self.recording.moments, joined=rechunk is not None)
        self._played: list[Passed] = []
        self._playing = self._play()

    def outputs(self) -> Iterator[tuple[float, Output | Finished]]:
        """What the flow tells, and how it ends, each with its time in seconds since the first event."""
        return self._playing

    def first_difference(self) -> Difference | None:
        """Where the flow first did something else than was recorded; what has not been played yet is played first."""
        for _ in self._playing:
            pass
        names = placeholder_map(self._made(), self.recording.head.placeholders)
        played = render_session(self._played, Placeholders(names))
        # Only now are all secrets known.
        for run, passed in zip(self._runs, played, strict=True):
            difference = _compare(run, passed, joined=self._knife is not None)
            if difference is not None:
                return difference
        return None

    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of the secrets that the flow made itself, by placeholder, once it has been played."""
        for _ in self._playing:
            pass
        return fingerprints_of(self._made())

    def _play(self) -> Iterator[tuple[float, Output | Finished]]:
        for run in self._runs:
            items: list[Command | Output] = []
            error: Exception | None = None
            for event, moment in self._arrivals(run):
                try:
                    batch = self._flow.handle(event, moment.now)
                except Exception as raised:
                    error = raised
                    continue
                items += batch
                for item in batch:
                    if isinstance(item, Finished) or not isinstance(item, _COMMANDS):
                        yield moment.at, item
            self._played.append(call_as_data(run[0].now, run[0].event, items, error))

    def _arrivals(self, run: Sequence[Moment]) -> Iterator[tuple[Event, Moment]]:
        """The events of a run, each with the moment at which it comes. Bodies come as they came, or cut anew."""
        if self._knife is None or not isinstance(run[0].event, BodyReceived):
            yield from ((self._own_words(moment.event), moment) for moment in run)
            return
        request_id = run[0].event.request_id
        kept, since = b"", run[0]
        for moment in run:
            event = self._own_words(moment.event)
            assert isinstance(event, BodyReceived)
            if moment.now < self._flow.deadline:
                *pieces, kept_now = self._knife.cut(kept + event.data)
            else:
                # It came when the time was over: there it matters what comes in one piece.
                if kept:
                    yield BodyReceived(request_id, kept), since
                pieces, kept_now = [event.data], b""
            for piece in pieces:
                yield BodyReceived(request_id, piece), moment
            kept, since = kept_now, moment
        if kept:
            yield BodyReceived(request_id, kept), since

    def _made(self) -> list[GeneratedSecret]:
        head = self.recording.head
        return find_generated(self._flow.secrets, head.placeholders, head.fingerprints)

    def _own_words(self, event: Event) -> Event:
        """The event as this flow would get it: a secret of its own making instead of the placeholder of that."""
        made = {placeholder: secret for secret, placeholder, _ in self._made() if placeholder != PLACEHOLDER}
        if not made:
            return event
        return msgspec.convert(_replaced(msgspec.to_builtins(event, builtin_types=(bytes,)), made), type(event))


class _Rechunker:
    """Cuts bodies at random places, the same for the same number."""

    def __init__(self, number: int) -> None:
        self._entropy = Entropy(b"%d" % number)

    def cut(self, data: bytes) -> list[bytes]:
        """The data in pieces, at least one. The last is to be joined to what comes next."""
        places = sorted(self._below(len(data) + 1) for _ in range(self._below(4)))
        pieces = [data[start:end] for start, end in pairwise([0, *places, len(data)])]
        if len(data) <= _MOST_BYTEWISE and self._below(8) == 0:
            pieces = [data[start : start + 1] for start in range(len(data))]
        return pieces if pieces and self._below(2) else [*pieces, b""]

    def _below(self, bound: int) -> int:
        return int.from_bytes(self._entropy.draw(16, 0), "big") % bound


def _restore(head: Head, flow: type[Flow]) -> Flow:
    """The flow as it was when the recording began. The class that plays may have another name."""
    snapshot = msgspec.json.encode({**head.snapshot, "flow": flow.__name__})
    try:
        credentials = msgspec.convert(head.credentials, get_type_hints(flow)["credentials"])
        return flow.restore(snapshot, credentials=credentials, limits=head.limits, resend=True)
    except Exception as error:
        # Whatever the class of somebody else raises when it is made.
        raise RecordingError(f"{flow.__name__} cannot play this recording: {error}") from error


def _runs(moments: Iterable[Moment], *, joined: bool) -> list[list[Moment]]:
    """Each moment alone; or, `joined`, the chunks that came one after the other together."""
    runs: list[list[Moment]] = []
    for moment in moments:
        if joined and runs and _is_same_body(runs[-1][-1].event, moment.event):
            runs[-1].append(moment)
        else:
            runs.append([moment])
    return runs


def _is_same_body(one: Event, other: Event) -> bool:
    if not isinstance(one, BodyReceived) or not isinstance(other, BodyReceived):
        return False
    return one.request_id == other.request_id


def _replaced(value: JsonValue, names: dict[str, str]) -> Any:
    """Plain data with one text in the place of another."""
    match value:
        case str():
            for old, new in names.items():
                value = value.replace(old, new)
            return value
        case bytes():
            for old, new in names.items():
                value = value.replace(old.encode(), new.encode())
            return value
        case dict():
            return {key: _replaced(item, names) for key, item in value.items()}
        case list() | tuple():
            return [_replaced(item, names) for item in value]
        case _:
            return value


def _compare(run: Sequence[Moment], passed: Passed, *, joined: bool) -> Difference | None:
    """The first item that is another than before; `joined`, where text was cut makes no difference."""
    before = [_comparable(item) for moment in run for item in moment.items]
    raised = next((moment.raised for moment in run if moment.raised), "")
    after = [_comparable(item) for item in passed.items]
    if joined:
        before, after = _with_joined_text(before), _with_joined_text(after)
    if raised or passed.raised:
        before, after = [*before, {"raised": raised}], [*after, {"raised": passed.raised}]
    for recorded, replayed in zip_longest(before, after):
        if recorded != replayed:
            moment = run[0]
            return Difference(moment.number, moment.at, repr(moment.event), recorded, replayed)
    return None


def _with_joined_text(items: Sequence[JsonObject]) -> list[JsonObject]:
    joined: list[JsonObject] = []
    for is_text, group in groupby(items, lambda item: item.get("type") == TextDelta.__name__):
        if is_text:
            joined.append({"type": TextDelta.__name__, "text": "".join(item["text"] for item in group)})
        else:
            joined += group
    return joined


def _comparable(item: JsonObject) -> JsonObject:
    """The item, less what may differ in a failure that is the same.

    Its snapshot is taken as JSON: 7 and 7.0 are the same there, as text they are not. Sizes in its message are left
    out: a placeholder is not as long as its secret.
    """
    match item:
        case {"failure": {"message": str(message), "snapshot": snapshot}}:
            message = _SIZE.sub("some", message)
            return {**item, "failure": {**item["failure"], "message": message, "snapshot": _opened(snapshot)}}
        case _:
            return item


def _opened(snapshot: JsonValue) -> JsonValue:
    try:
        return msgspec.json.decode(snapshot) if isinstance(snapshot, str) else snapshot
    except msgspec.DecodeError:
        return snapshot
