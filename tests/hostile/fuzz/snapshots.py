"""Snapshots: what is not one is refused, and from any other a flow goes on to a named end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from fuzz.replies import KITS
from fuzz.target import DEEP, Choices, Target
from modelwire.download import ImageDownload
from modelwire.errors import InDoubt, SnapshotError
from modelwire.flow import Flow
from modelwire.json import JsonObject
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.providers.hailuo_login import HailuoLogin
from modelwire.testing import FlowKit
from modelwire.testing.stage import Stage

ALLOWED = (SnapshotError, InDoubt)
# Flows that have no kit: they are restored, and go no further.
BARE: tuple[type[Flow], ...] = (ImageDownload, HailuoLogin)


def play(data: bytes) -> None:
    """An input is a choice of a flow, of what lies before, and of whether to send again; and a snapshot."""
    choices = Choices(data)
    kits = [*KITS.values()]
    chosen, past, resend = choices.number() % (len(kits) + len(BARE)), choices.number(), choices.one_of((False, True))
    if chosen < len(kits):
        go_on(kits[chosen], past, choices.rest, resend=resend)
    else:
        restore(BARE[chosen - len(kits)], choices.rest, resend=resend)


def restore(
    flow: type[Flow],
    snapshot: bytes,
    credentials: JsonObject | None = None,
    limits: Limits = DEFAULT_LIMITS,
    *,
    resend: bool,
) -> Flow:
    """The flow of a snapshot, which could be restored again from its own."""
    again = partial(flow.restore, credentials=credentials, limits=limits, resend=resend)
    restored = again(snapshot)
    taken = restored.snapshot()
    # As JSON: 7 and 7.0 are the same there.
    assert msgspec.json.decode(again(taken).snapshot()) == msgspec.json.decode(taken)
    return restored


def go_on(kit: type[FlowKit], past: int, snapshot: bytes, *, resend: bool) -> None:
    """A session of a restored flow, in which nothing goes wrong any more."""
    scene = kit.scenes()[past % len(kit.scenes())]

    def make_flow(credentials: JsonObject | None, limits: Limits) -> Flow:
        return restore(kit.provider.flow, snapshot, credentials, limits, resend=resend)

    Stage(scene.subject._replace(make_flow=make_flow), scene.past).finish()


def seeds() -> Iterator[bytes]:
    """The snapshots of every session, after each of its events, and one without an end."""
    yield b'\0\0\0{"flow":"ArtaImage","version":1,"phase":"start","fields":' + DEEP
    for number, kit in enumerate(KITS.values()):
        for past, scene in enumerate(kit.scenes()):
            stage = scene.stage()
            taken = {stage.flow.snapshot(): None}
            while not stage.is_over:
                stage.go_halfway()
                taken[stage.flow.snapshot()] = None
            yield from (bytes([number, past, 1]) + snapshot.encode() for snapshot in taken)
    image = ImageDownload(url="https://a.example/a.png", provider_url="https://a.example")
    bare = (image, HailuoLogin())
    yield from (bytes([len(KITS) + number, 0, 0]) + flow.snapshot().encode() for number, flow in enumerate(bare))


WORDS = (
    *(b'"flow":', b'"version":1', b'"phase":', b'"fields":{', b'"request_id":', b'"text_delivered":true', b"null"),
    *(b'"in_doubt":true', b'"job_id":', b'"endpoints":{', b'"options":{', b'"messages":[', b'"role":"user"', b"-1"),
    *(b'"start"', b'"submit"', b'"poll"', b"1e308", b"9007199254740992", b'""', b'"http://[::1"', b'"\\ud800"', b"[]"),
)
SNAPSHOTS = Target("snapshots", play, ALLOWED, seeds, WORDS)
