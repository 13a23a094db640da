"""A response that is cut off at each of its bytes, over every transport: no cut is an end, and no text comes twice.

The first response is cut, and what comes after it is whole: whoever has shown nothing yet may ask again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from faults.client import Ask, Chat, Order, Work
from faults.scenario import Scenario, complaints, ends, run
from faults.server import Misdeed, Response, chunked, fin, rst, say, then
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
from faults.table import CARRIERS
from raw_server import response
from transports_under_test import Carrier

# Every byte of what is short; of what is long every so many, but for a night.
STEP = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 17

SHORT = {
    "a length": response("Content-Length: 16", body=ANSWER.encode()),
    "chunks": chunked(ANSWER[:5], ANSWER[5:]),
}
# Answers with a mark of their own end, which count as whole from there on.
FAKEGPT = fakegpt_answer(ANSWER[:4], ANSWER).encode()
HAILUO_EVENTS = hailuo_answer(ANSWER[:4], ANSWER).encode()
STREAMS: dict[str, tuple[Work, str, bytes]] = {
    "fakegpt in chunks": (Chat("fakegpt"), CONVERSATION, chunked(FAKEGPT[:99], FAKEGPT[99:])),
    "fakegpt without framing": (Chat("fakegpt"), CONVERSATION, response(body=FAKEGPT)),
    "hailuo in chunks": (Chat("hailuo"), HAILUO, chunked(HAILUO_EVENTS[:99], HAILUO_EVENTS[99:])),
    "hailuo without framing": (Chat("hailuo"), HAILUO, response(body=HAILUO_EVENTS)),
}
ACCEPTED, DONE = b'{"record_id": "job-1"}', b'{"status": "DONE", "response": []}'


def cut(work: Work, path: str, data: bytes, end: Misdeed, whole: Response, kinds: str) -> Scenario:
    """A response that ends with `data`; the next one is whole."""
    serving = {path: [then(data, end), whole]}
    return Scenario(name=f"cut after {len(data)} bytes", work=work, serving=serving, ends=ends(kinds))


def wrong(scenarios: Iterable[Scenario], carrier: Carrier) -> list[str]:
    """What is wrong with any of them."""
    results = (run(scenario, carrier, weigh=False) for scenario in scenarios)
    return [f"{result.scenario.name}: {complaint}" for result in results for complaint in complaints(result)]


def end_of(data: bytes, beginning: bytes) -> str:
    """How the beginning of a short response ends: asked for again while there is no text, whole with its last byte."""
    has_text = ANSWER[:1].encode() in beginning.partition(b"\r\n\r\n")[2]
    return "network" if has_text and beginning != data else "answer"


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
@pytest.mark.parametrize("data", SHORT.values(), ids=SHORT)
def test_closed_at_every_byte(data: bytes, carrier: Carrier) -> None:
    beginnings = [data[:i] for i in range(len(data) + 1)]
    scenarios = [cut(Ask(), "", part, fin, say(ANSWER), end_of(data, part)) for part in beginnings]
    assert wrong(scenarios, carrier) == []


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
def test_reset_at_every_byte(carrier: Carrier) -> None:
    data = SHORT["chunks"]
    # A reset may overtake what was sent before it.
    scenarios = [cut(Ask(), "", data[:i], rst, say(ANSWER), "answer network") for i in range(len(data) + 1)]
    assert wrong(scenarios, carrier) == []


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
@pytest.mark.parametrize(("work", "path", "data"), STREAMS.values(), ids=STREAMS)
def test_a_stream_of_events_that_is_cut(work: Chat, path: str, data: bytes, end: Misdeed, carrier: Carrier) -> None:
    whole = SITES[work.provider][path]
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert (
        wrong((cut(work, path, part, end, whole, "answer network truncated no_answer") for part in parts), carrier)
        == []
    )


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
def test_an_order_whose_answer_is_cut_is_in_doubt(end: Misdeed, carrier: Carrier) -> None:
    data = response(f"Content-Length: {len(ACCEPTED)}", body=ACCEPTED)
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert wrong((cut(Order(), SUBMIT, part, end, say(ACCEPTED), "in_doubt") for part in parts), carrier) == []


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
def test_a_status_that_is_cut_is_asked_for_again(end: Misdeed, carrier: Carrier) -> None:
    whole = SITES["arta"][STATUS]
    data = response(f"Content-Length: {len(DONE)}", body=DONE)
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert wrong((cut(Order(), STATUS, part, end, whole, "answer") for part in parts), carrier) == []


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
def test_a_status_without_framing_that_is_cut_is_no_status(carrier: Carrier) -> None:
    data = response(body=DONE)
    # Until its head is there, it is asked for again.
    start = len(response())
    parts = [data[:i] for i in range(start, len(data), STEP)]
    scenarios = [cut(Order(), STATUS, part, fin, say('{"status": "evil"}'), "protocol") for part in parts]
    assert wrong(scenarios, carrier) == []


@pytest.mark.parametrize("carrier", CARRIERS, ids=str)
@pytest.mark.parametrize("end", [fin, rst])
def test_an_image_that_is_cut_is_fetched_again(end: Misdeed, carrier: Carrier) -> None:
    whole = SITES["arta"][PICTURE_PATH]
    data = response("Content-Length: 264", body=bytes(264))
    parts = [data[:i] for i in range(0, len(data), STEP)]
    assert wrong((cut(Order(), PICTURE_PATH, part, end, whole, "answer") for part in parts), carrier) == []
