"""Recordings: what is not one is refused, and any other can be played back, whatever a flow would do today."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import cast

from fuzz.target import Choices, Target
from modelwire.errors import LocalProtocolError, RecordingError
from modelwire.flow import Flow
from modelwire.recording import Recording, Replay, parse_recording
from modelwire.recording.replay import find_flow
from played_flow import say
from recorded_sessions import recorded, scenarios

ALLOWED = (RecordingError,)
# How bodies are cut anew, if at all.
KNIVES = (None, 1, 2, 3)


class Escaped(BaseException):
    """A flow has raised what it must not; a replay would take this for what the flow does today."""


def play(data: bytes) -> None:
    """An input is a choice of how to cut, and a recording."""
    choices = Choices(data)
    rechunk = choices.one_of(KNIVES)
    # What is not UTF-8 comes as lone surrogates, which Python's own strings may hold.
    recording = parse_recording(choices.rest.decode("utf-8", "surrogateescape"))
    check_replay(recording, rechunk)


def check_replay(recording: Recording, rechunk: int | None) -> None:
    """It is played to its end; where it differs, that can be said."""
    replay = Replay(recording, flow=watched(recording.head.flow), rechunk=rechunk)
    difference = replay.first_difference()
    assert difference is None or str(difference)
    replay.fingerprints()


@cache
def watched(name: str) -> type[Flow]:
    """The same flow, but that what it must not raise goes past the replay."""
    flow = find_flow(name)

    def handle(self: Flow, *given: object) -> object:
        try:
            return cast("Callable[..., object]", flow.handle)(self, *given)
        except LocalProtocolError:
            raise
        except Exception as error:
            raise Escaped from error

    return cast("type[Flow]", type(flow.__name__, (flow,), {"handle": handle, "__module__": flow.__module__}))


def seeds() -> Iterator[bytes]:
    """A session of each provider, and how it ends."""
    for end in (say("surprise"), say("no", 503)):
        for knife, (flow, replies, _) in enumerate(scenarios().values()):
            yield bytes([knife]) + "\n".join(recorded(flow, *replies, end)).encode()


WORDS = (
    *(b'{"type":"recording"', b'{"type":"event","at":', b'{"type":"end","events":', b'"format":1', b'"items":['),
    *(b'"type":"BodyReceived"', b'"type":"ResponseStarted"', b'"type":"Woken"', b'"type":"Cancel"', b'"base64":"'),
    *(b'"type":"RequestFailed"', b'"type":"ResponseEnded"', b'"data":"', b'"placeholders":[', b'"fingerprints":{'),
    *(b'"limits":{', b'"snapshot":{', b'"credentials":', b'"request_id":', b'"status":', b"1e308", b"-1", b"null"),
)
RECORDINGS = Target("recordings", play, ALLOWED, seeds, WORDS)
