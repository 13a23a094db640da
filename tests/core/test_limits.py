"""The limits of a response: body, lines, events, head."""

from __future__ import annotations

import msgspec
import pytest

from modelwire.commands import AbortRequest, Finished
from modelwire.errors import Failure
from modelwire.events import BodyReceived, ResponseStarted
from modelwire.flow import Flow
from modelwire.limits import KIB, MIB, Limits
from played_flow import ScriptedResponse, begin, bytewise, play, say, two_part_cuts
from toy_flows import SHOWN_URL, EventFlow, FetchFlow, TextFlow, ToyFlow


def test_the_limits_are_fields_with_documented_defaults() -> None:
    assert msgspec.structs.asdict(Limits()) == {
        "total": None,
        "idle": 120.0,
        "silence": 60.0,
        "retry_after": 120.0,
        "tries": 3,
        "body": 16 * MIB,
        "stream": 1024 * MIB,
        "line": 1 * MIB,
        "event": 1 * MIB,
        "error_body": 64 * KIB,
        "head": 64 * KIB,
        "headers": 256,
    }


def all_cuts(body: bytes) -> list[list[bytes]]:
    return [[body], bytewise(body), *two_part_cuts(body)]


def outcome(flow: Flow, chunks: list[bytes]) -> tuple[str, Failure | None]:
    """The text and the failure of a session."""
    session = play(flow, ScriptedResponse(chunks=chunks))
    assert isinstance(session.log[-1], Finished)
    return session.text, session.log[-1].failure


@pytest.mark.parametrize("flow", [FetchFlow, TextFlow])
def test_the_limit_of_a_body_does_not_depend_on_chunking(flow: type[ToyFlow]) -> None:
    limits = Limits(body=8, tries=1)
    over = {outcome_key(outcome(flow(limits=limits), chunks)) for chunks in all_cuts(b"123456789")}
    (text, kind, message) = over.pop()
    assert not over
    assert (kind, message) == ("limit", "the body of the response exceeds 8 bytes")
    assert text == ("12345678" if flow is TextFlow else "")
    for chunks in all_cuts(b"12345678"):
        assert outcome(flow(limits=limits), chunks) == ("12345678", None)


def outcome_key(end: tuple[str, Failure | None]) -> tuple[str, str, str]:
    text, failure = end
    assert failure is not None
    return text, failure.kind, failure.message


def test_a_body_over_its_limit_is_aborted_at_once() -> None:
    session = begin(FetchFlow(limits=Limits(body=8)))
    session.deliver(ResponseStarted(1, 200, ()))
    session.deliver(BodyReceived(1, b"12345678"))
    assert not session.is_over
    assert session.deliver(BodyReceived(1, b"9"))[0] == AbortRequest(1)


def test_an_error_body_has_its_own_limit() -> None:
    body = b"because of this and that"
    for chunks in all_cuts(body):
        session = play(
            FetchFlow(limits=Limits(error_body=10)), ScriptedResponse(status=404, chunks=chunks, stays_open=True)
        )
        assert session.failure.message == f"{SHOWN_URL} answered with status 404: because of"
        assert session.all(AbortRequest) == [AbortRequest(1)]


def test_an_error_body_is_shown_in_one_short_line() -> None:
    failure = play(FetchFlow(), say("\x1b[31mno\r\n\u202eway\n" + "x" * 1000, 404)).failure
    said = failure.message.removeprefix(f"{SHOWN_URL} answered with status 404: ")
    assert said.startswith("[31mno way xxx")
    assert said.isprintable()
    assert len(said) <= 200


def test_a_line_over_its_limit_does_not_depend_on_chunking() -> None:
    body = b"data: ok\n\ndata: 0123456789\n\nevent: end\ndata\n\n"
    ends = {outcome_key(outcome(EventFlow(limits=Limits(line=12)), chunks)) for chunks in all_cuts(body)}
    assert ends == {("ok", "limit", "a line of the event stream exceeds 12 bytes")}


def test_a_line_over_its_limit_after_the_end_of_the_answer_is_ignored() -> None:
    body = b"data: ok\n\nevent: end\ndata\n\ndata: 0123456789\n\n"
    for chunks in all_cuts(body):
        assert outcome(EventFlow(limits=Limits(line=12)), chunks) == ("ok", None)


def test_an_event_over_its_limit() -> None:
    body = b"data: ok\n\n" + b"data: 0123\n" * 5 + b"\n"
    assert outcome_key(outcome(EventFlow(limits=Limits(event=12)), [body]))[1:] == (
        "limit",
        "an event of the stream exceeds 12 bytes",
    )


def test_a_body_and_a_line_over_their_limits_at_once_do_not_depend_on_chunking() -> None:
    body = b"data: ok\n\ndata: 0123456789012345\n\n"
    ends = {outcome_key(outcome(EventFlow(limits=Limits(line=12, body=25)), chunks)) for chunks in all_cuts(body)}
    assert len(ends) == 1


def test_the_size_of_a_head_is_limited() -> None:
    limits = Limits(head=10, tries=1)
    assert play(FetchFlow(limits=limits), ScriptedResponse(headers=(("abc", "12"), ("de", "345")))).succeeded
    session = play(FetchFlow(limits=limits), ScriptedResponse(headers=(("abc", "12"), ("de", "3456"))))
    assert session.failure.kind == "limit"
    assert session.all(AbortRequest) == [AbortRequest(1)]


def test_the_number_of_headers_is_limited() -> None:
    limits = Limits(headers=3, tries=1)
    assert play(FetchFlow(limits=limits), ScriptedResponse(headers=(("a", ""),) * 3)).succeeded
    assert play(FetchFlow(limits=limits), ScriptedResponse(headers=(("a", ""),) * 4)).failure.kind == "limit"
