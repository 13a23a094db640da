"""One request of a flow and its response: statuses, bodies, chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelwire.commands import AbortRequest, Finished, SendRequest
from modelwire.errors import Failure
from modelwire.events import BodyReceived, ResponseEnded, ResponseStarted
from modelwire.flow import Steps
from modelwire.outputs import TextDelta
from modelwire.text import TextSink
from played_flow import NOW, ScriptedResponse, begin, cuts, play, say
from toy_flows import SHOWN_URL, CustomFlow, EventFlow, FetchFlow, JobFlow


def test_a_request_and_its_response() -> None:
    session = begin(FetchFlow())
    assert session.log == [SendRequest(1, session.request, NOW + 120)]
    assert session.respond(say("Hello", content_type="text/plain")) == [TextDelta("Hello"), Finished(None)]


@given(st.binary(max_size=60), st.data())
def test_chunking_does_not_matter_to_a_fetch(body: bytes, data: st.DataObject) -> None:
    whole = play(FetchFlow(), ScriptedResponse(body=body))
    assert play(FetchFlow(), ScriptedResponse(chunks=data.draw(cuts(body)))).log == whole.log


def test_each_request_has_its_own_id() -> None:
    session = play(JobFlow(), say(""), say("job-1"), say("wait"), say("done"))
    assert [command.request_id for command in session.all(SendRequest)] == [1, 2, 3, 4]


def test_a_complete_answer_ends_the_request() -> None:
    session = begin(EventFlow())
    session.deliver(ResponseStarted(1, 200, ()))
    batch = session.deliver(BodyReceived(1, b"data: all\n\nevent: end\ndata\n\ndata: more\n\n"))
    assert batch == [TextDelta("all"), AbortRequest(1), Finished(None)]


def test_an_empty_body() -> None:
    assert play(FetchFlow(), ScriptedResponse(chunks=[])).outputs == [TextDelta("")]


def test_a_response_that_ends_before_it_begins() -> None:
    session = begin(FetchFlow())
    session.deliver(ResponseEnded(1))
    assert session.failure == Failure(kind="protocol", message="the response ended before it began", phase="start")


@pytest.mark.parametrize("status", [0, 100, 103, 199, 600, 999, -200])
def test_a_status_that_is_not_final(status: int) -> None:
    session = play(FetchFlow(), say("", status))
    assert session.failure.message == f"the server sent status {status} where a final response was expected"
    assert session.all(AbortRequest) == [AbortRequest(1)]


@pytest.mark.parametrize("status", [200, 201, 204, 206, 299])
def test_any_2xx_is_success(status: int) -> None:
    assert play(FetchFlow(), say("x", status)).succeeded


@pytest.mark.parametrize("status", [300, 302, 399])
def test_a_redirect_is_a_failure(status: int) -> None:
    failure = play(FetchFlow(), say("", status, location="https://elsewhere.example/")).failure
    assert (failure.kind, failure.status) == ("status", status)
    assert "redirects are not followed" in failure.message


@pytest.mark.parametrize(("status", "kind"), [(401, "refused"), (403, "refused"), (404, "status"), (400, "status")])
def test_an_error_status_is_not_retried(status: int, kind: str) -> None:
    session = play(FetchFlow(), say("because", status))
    assert session.failure == Failure(
        kind=kind,  # type: ignore[arg-type]
        message=f"{SHOWN_URL} answered with status {status}: because",
        phase="start",
        status=status,
    )
    assert len(session.requests) == 1


def test_a_status_may_be_allowed_and_its_body_read() -> None:
    def allow(flow: CustomFlow) -> Steps:
        response = yield from flow.fetch(flow.request, allow=(404,))
        flow.emit(TextDelta(f"{response.status} {response.text()} {response.header('X-Why')}"))
        response = yield from flow.stream(flow.request, lambda: TextSink(flow.emit), allow=(500,))
        flow.emit(TextDelta(f" {response.status} {response.text()}"))

    session = play(CustomFlow(steps=allow), say("none", 404, x_why="gone"), say("not text of an answer", 500))
    assert session.text == "404 none gone 500 not text of an answer"
