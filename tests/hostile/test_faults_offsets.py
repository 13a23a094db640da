"""A response cut off at each of its bytes, over every transport: no cut passes for the end, and no text comes twice.

The first response is cut and the next ones are whole, because a client that has shown nothing may retry.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from faults.client import Ask, Chat, Order, Work
from faults.scenario import Scenario, complaints, ends, run
from faults.server import Fault, Response, chunked, fin, rst, say, then
from faults.sites import (
    ANSWER,
    CONVERSATION,
    HAILUO,
    PICTURE_PATH,
    SITES,
    STATUS,
    SUBMIT,
    fakegpt_answer,
    hailuo_answer,
)
from faults.table import VARIANTS
from raw_server import response
from transport_variants import TransportVariant

# Bytes between two cuts of a long response; a short one is cut at every byte. The deep profile cuts at every byte.
STEP = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 17

SHORT = {
    "a length": response("Content-Length: 16", body=ANSWER.encode()),
    "chunks": chunked(ANSWER[:5], ANSWER[5:]),
}
# Streams with a mark of their end. Once it arrives, the answer is whole.
FAKEGPT = fakegpt_answer(ANSWER[:4], ANSWER).encode()
HAILUO_EVENTS = hailuo_answer(ANSWER[:4], ANSWER).encode()
STREAMS: dict[str, tuple[Work, str, bytes]] = {
    "fakegpt in chunks": (Chat("fakegpt"), CONVERSATION, chunked(FAKEGPT[:99], FAKEGPT[99:])),
    "fakegpt without framing": (Chat("fakegpt"), CONVERSATION, response(body=FAKEGPT)),
    "hailuo in chunks": (Chat("hailuo"), HAILUO, chunked(HAILUO_EVENTS[:99], HAILUO_EVENTS[99:])),
    "hailuo without framing": (Chat("hailuo"), HAILUO, response(body=HAILUO_EVENTS)),
}
ACCEPTED, DONE = b'{"record_id": "job-1"}', b'{"status": "DONE", "response": []}'


def cut(work: Work, path: str, data: bytes, end: Fault, whole: Response, kinds: str) -> Scenario:
    """A first response of `data` alone, and whole ones after it."""
    serving = {path: [then(data, end), whole]}
    return Scenario(name=f"cut after {len(data)} bytes", work=work, serving=serving, ends=ends(kinds))


def wrong(scenarios: Iterable[Scenario], variant: TransportVariant) -> list[str]:
    """Everything that is wrong with the results of these scenarios."""
    results = (run(scenario, variant, weigh=False) for scenario in scenarios)
    return [f"{result.scenario.name}: {complaint}" for result in results for complaint in complaints(result)]


def end_of(data: bytes, beginning: bytes) -> str:
    """The ending after this beginning of a short response. Without text the request is retried, and succeeds."""
    has_text = ANSWER[:1].encode() in beginning.partition(b"\r\n\r\n")[2]
    return "network" if has_text and beginning != data else "answer"


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("data", SHORT.values(), ids=SHORT)
def test_closed_at_every_byte(data: bytes, variant: TransportVariant) -> None:
    beginnings = [data[:i] for i in range(len(data) + 1)]
    scenarios = [cut(Ask(), "", part, fin, say(ANSWER), end_of(data, part)) for part in beginnings]
    assert wrong(scenarios, variant) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_reset_at_every_byte(variant: TransportVariant) -> None:
    data = SHORT["chunks"]
    # The client may see the reset before the data that was sent earlier.
    scenarios = [cut(Ask(), "", data[:i], rst, say(ANSWER), "answer network") for i in range(len(data) + 1)]
    assert wrong(scenarios, variant) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
@pytest.mark.parametrize(("work", "path", "data"), STREAMS.values(), ids=STREAMS)
def test_an_event_stream_that_is_cut(work: Chat, path: str, data: bytes, end: Fault, variant: TransportVariant) -> None:
    whole = SITES[work.provider][path]
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert (
        wrong((cut(work, path, part, end, whole, "answer network truncated no_answer") for part in parts), variant)
        == []
    )


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
def test_a_submission_whose_response_is_cut_is_in_doubt(end: Fault, variant: TransportVariant) -> None:
    data = response(f"Content-Length: {len(ACCEPTED)}", body=ACCEPTED)
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert wrong((cut(Order(), SUBMIT, part, end, say(ACCEPTED), "in_doubt") for part in parts), variant) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
def test_a_status_that_is_cut_is_requested_again(end: Fault, variant: TransportVariant) -> None:
    whole = SITES["arta"][STATUS]
    data = response(f"Content-Length: {len(DONE)}", body=DONE)
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert wrong((cut(Order(), STATUS, part, end, whole, "answer") for part in parts), variant) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_status_without_framing_that_is_cut_is_a_failure(variant: TransportVariant) -> None:
    data = response(body=DONE)
    # With a shorter head the request is retried.
    start = len(response())
    parts = [data[:i] for i in range(start, len(data), STEP)]
    scenarios = [cut(Order(), STATUS, part, fin, say('{"status": "evil"}'), "protocol") for part in parts]
    assert wrong(scenarios, variant) == []


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
def test_an_image_that_is_cut_is_fetched_again(end: Fault, variant: TransportVariant) -> None:
    whole = SITES["arta"][PICTURE_PATH]
    data = response("Content-Length: 264", body=bytes(264))
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert wrong((cut(Order(), PICTURE_PATH, part, end, whole, "answer") for part in parts), variant) == []
