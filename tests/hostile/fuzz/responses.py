"""Every provider's replies: whatever a service answers to any requests of a flow, it comes to a named end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from fuzz.target import Choices, Target
from modelwire.events import RequestFailureKind
from modelwire.http import Headers
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.testing import FlowKit
from modelwire.testing.comparison import check_same
from modelwire.testing.faults.hostile import HEADERS, STATUSES, TIGHT
from modelwire.testing.rehearsal import Scene
from modelwire.testing.stage import Stage
from modelwire.testing.wire import Answer
from provider_kits import ArtaKit, CromicleKit, FakeGptKit, HailuoKit, MagickPenKit

# `Flow.handle` raises nothing that another side has brought about; `Stage` sees to all else.
ALLOWED = ()
KITS: dict[str, type[FlowKit]] = {
    kit.provider.name: kit for kit in (ArtaKit, CromicleKit, FakeGptKit, HailuoKit, MagickPenKit)
}

# Between two replies. One that is empty is as it should be.
BETWEEN = b"\x1e"
# Half of what the fuzzer thinks of has to come as far as a body.
MOSTLY_GOOD = (*STATUSES, *[200] * len(STATUSES))
ENDINGS: Sequence[RequestFailureKind | None] = (None, None, None, None, "connect", "timeout", "network", "protocol")


def play(kit: type[FlowKit], data: bytes) -> None:
    """An input is a choice of a scene and of limits, and replies, from the first on."""
    choices = Choices(data)
    scene, limits = choices.one_of(kit.scenes()), choices.one_of((DEFAULT_LIMITS, TIGHT))
    replies = choices.rest.split(BETWEEN)
    whole = act(scene, limits, replies, is_cut=False)
    cut = act(scene, limits, replies, is_cut=True)
    check_same(cut.session.items, whole.session.items)


def act(scene: Scene, limits: Limits, replies: Sequence[bytes], *, is_cut: bool) -> Stage:
    """A session with these replies, and others that are as they should be."""
    good = [answer for number, answer in enumerate(scene.answers) if not any(replies[number : number + 1])]
    stage = scene.stage(limits, tape=good)
    for number, response in enumerate(replies):
        if not stage.reach(number):
            break
        if response:
            usual = scene.answers[number].headers if number < len(scene.answers) else ()
            answer(stage, Choices(response), usual, is_cut=is_cut)
    stage.finish()
    return stage


def answer(stage: Stage, choices: Choices, usual: Headers, *, is_cut: bool) -> None:
    """A reply is a choice of a status, of headers, of an ending and of cuts, and a body."""
    status = choices.one_of(MOSTLY_GOOD)
    headers = choices.one_of((usual, *HEADERS.values()))
    broken, cuts = choices.one_of(ENDINGS), choices.cuts()
    body = choices.rest
    stage.answer(Answer(status, headers, body), cuts(body) if is_cut else (), broken)


def seeds(kit: type[FlowKit]) -> Iterator[bytes]:
    """What the emulator answers: each reply alone, and all of them."""
    for number, scene in enumerate(kit.scenes()):
        start = bytes([number, 0])
        replies = [as_input(answer) for answer in scene.answers]
        yield start + BETWEEN.join(replies)
        yield from (start + BETWEEN * place + response for place, response in enumerate(replies))


def as_input(answer: Answer) -> bytes:
    """An answer as it stands in an input."""
    return bytes([MOSTLY_GOOD.index(answer.status), 0, 0, 3, 50]) + answer.body


WORDS = (
    *(b'{"', b'":', b'"}', b"[", b"]", b"{}", b"null", b"1e999", b'"\\ud800"', b"\xff", BETWEEN),
    *(b"data: ", b"event: ", b"\n\n", b"[DONE]", b'"status":"DONE"', b'"status":"IN_QUEUE"', b'"response":[]'),
    *(b'"loads":[]', b'"token_id":""', b'"accessToken":', b'"parts":[]', b'"message_type":"next"', b"close_chunk"),
    *(b"message_result", b"send_result", b'"content":', b"<script src=", b'secret:"', b'"X-API-Secret":"'),
)
REPLIES = [
    Target(f"replies-{name}", partial(play, kit), ALLOWED, partial(seeds, kit), WORDS) for name, kit in KITS.items()
]
