"""Playing a recording: the same events at the same times, handed to the flow as it is now."""

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
from .format import Head, ParsedCall, Recording, parse_recording
from .placeholders import GeneratedSecret, Placeholders, find_generated, fingerprints_of, placeholder_map
from .rendering import ReplayedCall, call_as_data, render_session

_COMMANDS = (SendRequest, AbortRequest, OpenPage, Evaluate, Sleep, Finished)
# Bytes: the longest chunk that is cut into single bytes. Longer ones would take long and find nothing more.
_MOST_BYTEWISE = 1024
# A size in the message of a failure.
_SIZE = re.compile(r"\d+(?= (?:bytes|characters)\b)")


def find_flow(name: str, more: Iterable[type[Flow]] = ()) -> type[Flow]:
    """The flow class of this name, in the catalog or in `more`. Raises `RecordingError` if there is none."""
    logins = (provider.login for provider in PROVIDERS.values() if provider.login is not None)
    flows = (flow for provider in PROVIDERS.values() for flow in provider.flows.values())
    known: Iterator[type[Flow]] = chain([ImageDownload], flows, logins, more)
    found = next((flow for flow in known if flow.__name__ == name), None)
    if found is None:
        raise RecordingError(f"the recording is of the flow {printable(name, 60)!r}, which is not installed here")
    return found


class Replay:
    """Plays a recording through its flow, or through the class `flow`, and compares the results with the recorded ones.

    With `rechunk`, bodies are cut at random places instead of where the network cut them, which must make no
    difference. The same number gives the same places. Raises `RecordingError` if the recording cannot be played.
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
        self._rechunker = None if rechunk is None else _Rechunker(rechunk)
        self._groups = _grouped(self.recording.calls, join_bodies=rechunk is not None)
        self._replayed: list[ReplayedCall] = []
        self._playing = self._play()

    def outputs(self) -> Iterator[tuple[float, Output | Finished]]:
        """The flow's outputs, and its `Finished`, each with its time in seconds since the first event."""
        return self._playing

    def first_difference(self) -> Difference | None:
        """The first item that differs from the recorded one. Plays the rest of the recording first."""
        for _ in self._playing:
            pass
        names = placeholder_map(self._generated(), self.recording.head.placeholders)
        # Render only now: a secret that the flow learnt late must be replaced in earlier calls too.
        replayed = render_session(self._replayed, Placeholders(names))
        for group, call in zip(self._groups, replayed, strict=True):
            difference = _compare(group, call, join_text=self._rechunker is not None)
            if difference is not None:
                return difference
        return None

    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of the secrets that the flow generated, by placeholder. Plays the rest first."""
        for _ in self._playing:
            pass
        return fingerprints_of(self._generated())

    def _play(self) -> Iterator[tuple[float, Output | Finished]]:
        for group in self._groups:
            items: list[Command | Output] = []
            error: Exception | None = None
            for event, call in self._deliveries(group):
                try:
                    batch = self._flow.handle(event, call.now)
                except Exception as raised:
                    error = raised
                    continue
                items += batch
                for item in batch:
                    if isinstance(item, Finished) or not isinstance(item, _COMMANDS):
                        yield call.at, item
            self._replayed.append(call_as_data(group[0].now, group[0].event, items, error))

    def _deliveries(self, group: Sequence[ParsedCall]) -> Iterator[tuple[Event, ParsedCall]]:
        """The events of a group, each with the call at whose time it arrives. `rechunk` cuts bodies differently."""
        if self._rechunker is None or not isinstance(group[0].event, BodyReceived):
            yield from ((self._with_own_secrets(call.event), call) for call in group)
            return
        request_id = group[0].event.request_id
        held, held_since = b"", group[0]
        for call in group:
            event = self._with_own_secrets(call.event)
            assert isinstance(event, BodyReceived)
            if call.now < self._flow.deadline:
                *pieces, last = self._rechunker.cut(held + event.data)
            else:
                # After the deadline, the result depends on what arrives in one piece: leave the chunk whole.
                if held:
                    yield BodyReceived(request_id, held), held_since
                pieces, last = [event.data], b""
            for piece in pieces:
                yield BodyReceived(request_id, piece), call
            held, held_since = last, call
        if held:
            yield BodyReceived(request_id, held), held_since

    def _generated(self) -> list[GeneratedSecret]:
        head = self.recording.head
        return find_generated(self._flow.secrets, head.placeholders, head.fingerprints)

    def _with_own_secrets(self, event: Event) -> Event:
        """The event as a server would send it to this flow: with the secrets that it generated, not placeholders."""
        secrets = {placeholder: secret for secret, placeholder, _ in self._generated() if placeholder != PLACEHOLDER}
        if not secrets:
            return event
        return msgspec.convert(_replace_all(msgspec.to_builtins(event, builtin_types=(bytes,)), secrets), type(event))


class _Rechunker:
    """Cuts bodies at random places; the same `seed` gives the same places."""

    def __init__(self, seed: int) -> None:
        self._entropy = Entropy(b"%d" % seed)

    def cut(self, data: bytes) -> list[bytes]:
        """The data in pieces, at least one. The caller prepends the last piece to the next chunk."""
        places = sorted(self._below(len(data) + 1) for _ in range(self._below(4)))
        pieces = [data[start:end] for start, end in pairwise([0, *places, len(data)])]
        if len(data) <= _MOST_BYTEWISE and self._below(8) == 0:
            pieces = [data[start : start + 1] for start in range(len(data))]
        return pieces if pieces and self._below(2) else [*pieces, b""]

    def _below(self, bound: int) -> int:
        return int.from_bytes(self._entropy.draw(16, 0), "big") % bound


def _restore(head: Head, flow: type[Flow]) -> Flow:
    """The flow as it was when the recording began. Its class may have another name than the recorded one."""
    snapshot = msgspec.json.encode({**head.snapshot, "flow": flow.__name__})
    try:
        credentials = msgspec.convert(head.credentials, get_type_hints(flow)["credentials"])
        return flow.restore(snapshot, credentials=credentials, limits=head.limits, resend=True)
    except Exception as error:
        # The constructor of a flow from another package may raise anything.
        raise RecordingError(f"{flow.__name__} cannot play this recording: {error}") from error


def _grouped(calls: Iterable[ParsedCall], *, join_bodies: bool) -> list[list[ParsedCall]]:
    """Each call alone; or, with `join_bodies`, adjacent chunks of one body together."""
    groups: list[list[ParsedCall]] = []
    for call in calls:
        if join_bodies and groups and _is_same_body(groups[-1][-1].event, call.event):
            groups[-1].append(call)
        else:
            groups.append([call])
    return groups


def _is_same_body(one: Event, other: Event) -> bool:
    if not isinstance(one, BodyReceived) or not isinstance(other, BodyReceived):
        return False
    return one.request_id == other.request_id


def _replace_all(value: JsonValue, names: dict[str, str]) -> Any:
    """Plain data with each key of `names` replaced by its value, in strings and in bytes."""
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
            return {key: _replace_all(item, names) for key, item in value.items()}
        case list() | tuple():
            return [_replace_all(item, names) for item in value]
        case _:
            return value


def _compare(group: Sequence[ParsedCall], replayed: ReplayedCall, *, join_text: bool) -> Difference | None:
    """The first item that differs. With `join_text`, adjacent deltas count as one: they may be cut differently."""
    before = [_comparable(item) for call in group for item in call.items]
    raised = next((call.raised for call in group if call.raised), "")
    after = [_comparable(item) for item in replayed.items]
    if join_text:
        before, after = _with_joined_text(before), _with_joined_text(after)
    if raised or replayed.raised:
        before, after = [*before, {"raised": raised}], [*after, {"raised": replayed.raised}]
    for old, new in zip_longest(before, after):
        if old != new:
            first = group[0]
            return Difference(first.number, first.at, repr(first.event), old, new)
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
    """The item; for a `Finished` with a failure, without what may differ although the failure is the same.

    The snapshot is decoded: 7 and 7.0 are equal as JSON, but not as text. Sizes are removed from the message: a
    placeholder is not as long as its secret.
    """
    match item:
        case {"failure": {"message": str(message), "snapshot": snapshot}}:
            message = _SIZE.sub("some", message)
            return {**item, "failure": {**item["failure"], "message": message, "snapshot": _decoded(snapshot)}}
        case _:
            return item


def _decoded(snapshot: JsonValue) -> JsonValue:
    try:
        return msgspec.json.decode(snapshot) if isinstance(snapshot, str) else snapshot
    except msgspec.DecodeError:
        return snapshot
