"""Snapshots: an invalid one is refused, and a flow restored from any other comes to a named end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from fuzz.responses import KITS
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
# Flows without a kit: they are restored, but not played.
BARE: tuple[type[Flow], ...] = (ImageDownload, HailuoLogin)


def play(data: bytes) -> None:
    """An input is a choice of a flow, of a beginning, and of `resend`, then a snapshot."""
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
    """Restore a flow, and check that its own snapshot restores it again."""
    again = partial(flow.restore, credentials=credentials, limits=limits, resend=resend)
    restored = again(snapshot)
    taken = restored.snapshot()
    # Compared as JSON, in which 7 and 7.0 are equal.
    assert msgspec.json.decode(again(taken).snapshot()) == msgspec.json.decode(taken)
    return restored


def go_on(kit: type[FlowKit], past: int, snapshot: bytes, *, resend: bool) -> None:
    """Play a session of a restored flow with correct responses."""
    scene = kit.scenes()[past % len(kit.scenes())]

    def make_flow(credentials: JsonObject | None, limits: Limits) -> Flow:
        return restore(kit.provider.flows[kit.flow_kind()], snapshot, credentials, limits, resend=resend)

    Stage(scene.subject._replace(make_flow=make_flow), scene.past).finish()


def seeds() -> Iterator[bytes]:
    """The snapshots of every session after each of its events, and a very long one."""
    yield b'\0\0\0{"flow":"ArtaImage","version":1,"phase":"start","fields":' + DEEP
    for number, kit in enumerate(KITS.values()):
        for past, scene in enumerate(kit.scenes()):
            stage = scene.stage()
            taken = {stage.flow.snapshot(): None}
            while not stage.is_over:
                stage.go_on_in_halves()
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
