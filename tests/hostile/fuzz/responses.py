"""Responses of every provider: whatever a service sends, the flow ends with a named failure or well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from fuzz.target import Choices, Target
from modelwire.events import RequestFailureKind
from modelwire.http import Headers
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.testing import FlowKit
from modelwire.testing.comparison import check_same
from modelwire.testing.faults.hostile import HEADERS, STATUSES, TIGHT_LIMITS
from modelwire.testing.rehearsal import Scene
from modelwire.testing.stage import Stage
from modelwire.testing.wire import ScriptedResponse
from provider_kits import ArtaKit, CromicleKit, FakeGptKit, HailuoKit, MagickPenKit

# None: no response makes `Flow.handle` raise. `Stage` checks the rest.
ALLOWED = ()
KITS: dict[str, type[FlowKit]] = {
    kit.provider.name: kit for kit in (ArtaKit, CromicleKit, FakeGptKit, HailuoKit, MagickPenKit)
}

# Between two responses. An empty one stands for a correct response.
BETWEEN = b"\x1e"
# Half of the fuzzer's inputs should reach a body.
MOSTLY_GOOD = (*STATUSES, *[200] * len(STATUSES))
ENDINGS: Sequence[RequestFailureKind | None] = (None, None, None, None, "connect", "timeout", "network", "protocol")


def play(kit: type[FlowKit], data: bytes) -> None:
    """An input is a choice of a scene and of limits, then responses in order."""
    choices = Choices(data)
    scene, limits = choices.one_of(kit.scenes()), choices.one_of((DEFAULT_LIMITS, TIGHT_LIMITS))
    responses = choices.rest.split(BETWEEN)
    whole = act(scene, limits, responses, is_cut=False)
    cut = act(scene, limits, responses, is_cut=True)
    check_same(cut.watched.items, whole.watched.items)


def act(scene: Scene, limits: Limits, responses: Sequence[bytes], *, is_cut: bool) -> Stage:
    """Play a session with these responses, and correct ones after them."""
    good = [scripted for number, scripted in enumerate(scene.responses) if not any(responses[number : number + 1])]
    stage = scene.stage(limits, scripted=good)
    for number, response in enumerate(responses):
        if not stage.reach(number):
            break
        if response:
            usual = scene.responses[number].headers if number < len(scene.responses) else ()
            respond(stage, Choices(response), usual, is_cut=is_cut)
    stage.finish()
    return stage


def respond(stage: Stage, choices: Choices, usual: Headers, *, is_cut: bool) -> None:
    """A response is a choice of a status, of headers, of an ending and of cuts, then a body."""
    status = choices.one_of(MOSTLY_GOOD)
    headers = choices.one_of((usual, *HEADERS.values()))
    broken, cuts = choices.one_of(ENDINGS), choices.cuts()
    body = choices.rest
    stage.respond(ScriptedResponse(status, headers, body), cuts(body) if is_cut else (), broken)


def seeds(kit: type[FlowKit]) -> Iterator[bytes]:
    """Responses of the emulator: each alone, and all of them."""
    for number, scene in enumerate(kit.scenes()):
        start = bytes([number, 0])
        responses = [as_input(scripted) for scripted in scene.responses]
        yield start + BETWEEN.join(responses)
        yield from (start + BETWEEN * place + response for place, response in enumerate(responses))


def as_input(scripted: ScriptedResponse) -> bytes:
    """A response as part of an input."""
    return bytes([MOSTLY_GOOD.index(scripted.status), 0, 0, 3, 50]) + scripted.body


WORDS = (
    *(b'{"', b'":', b'"}', b"[", b"]", b"{}", b"null", b"1e999", b'"\\ud800"', b"\xff", BETWEEN),
    *(b"data: ", b"event: ", b"\n\n", b"[DONE]", b'"status":"DONE"', b'"status":"IN_QUEUE"', b'"response":[]'),
    *(b'"loads":[]', b'"token_id":""', b'"accessToken":', b'"parts":[]', b'"message_type":"next"', b"close_chunk"),
    *(b"message_result", b"send_result", b'"content":', b"<script src=", b'secret:"', b'"X-API-Secret":"'),
)
RESPONSES = [
    Target(f"responses-{name}", partial(play, kit), ALLOWED, partial(seeds, kit), WORDS) for name, kit in KITS.items()
]
