"""Recordings: an invalid one is refused, and any other can be replayed, whatever the flow does today."""

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
# Ways to cut bodies again; None leaves the chunks as they are.
KNIVES = (None, 1, 2, 3)


class Escaped(BaseException):
    """A flow raised an exception that it must not. A replay would treat the original as the flow's behaviour."""


def play(data: bytes) -> None:
    """An input is a choice of how to cut, then a recording."""
    choices = Choices(data)
    rechunk = choices.one_of(KNIVES)
    # Invalid UTF-8 becomes lone surrogates, which a Python string may hold.
    recording = parse_recording(choices.rest.decode("utf-8", "surrogateescape"))
    check_replay(recording, rechunk)


def check_replay(recording: Recording, rechunk: int | None) -> None:
    """Play a recording to its end, and describe any difference."""
    replay = Replay(recording, flow=watched(recording.head.flow), rechunk=rechunk)
    difference = replay.first_difference()
    assert difference is None or str(difference)
    replay.fingerprints()


@cache
def watched(name: str) -> type[Flow]:
    """The flow, changed so that the replay does not catch an exception that it must not raise."""
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
    """A session of each provider, with different endings."""
    for end in (say("surprise"), say("no", 503)):
        for seed, (flow, responses, _) in enumerate(scenarios().values()):
            yield bytes([seed]) + "\n".join(recorded(flow, *responses, end)).encode()


WORDS = (
    *(b'{"type":"recording"', b'{"type":"event","at":', b'{"type":"end","events":', b'"format":1', b'"items":['),
    *(b'"type":"BodyReceived"', b'"type":"ResponseStarted"', b'"type":"Woken"', b'"type":"Cancel"', b'"base64":"'),
    *(b'"type":"RequestFailed"', b'"type":"ResponseEnded"', b'"data":"', b'"placeholders":[', b'"fingerprints":{'),
    *(b'"limits":{', b'"snapshot":{', b'"credentials":', b'"request_id":', b'"status":', b"1e308", b"-1", b"null"),
)
RECORDINGS = Target("recordings", play, ALLOWED, seeds, WORDS)
