"""Requests to emulators, made by hand, and checks of their responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from hypothesis import strategies as st

from modelwire.emulators import Emulator, EmulatorRequest, EmulatorResponse
from modelwire.json import JsonValue

NOW = 1_700_000_000.25
BASE_URL = "http://127.0.0.1:8080/provider"


class Ask(NamedTuple):
    """A request to an emulator, with methods to change it."""

    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: bytes = b""

    def without(self, *names: str) -> Ask:
        """A copy without these headers."""
        return self._replace(headers={name: value for name, value in self.headers.items() if name not in names})

    def having(self, **headers: str) -> Ask:
        """A copy with these headers. Underscores stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._replace(headers={**self.headers, **named})

    def request(self) -> EmulatorRequest:
        """The request as the emulator's input."""
        return EmulatorRequest(
            method=self.method,
            target=self.target,
            headers=tuple(self.headers.items()),
            body=self.body,
            base_url=BASE_URL,
        )

    def of(self, emulator: Emulator, now: float = NOW) -> EmulatorResponse:
        """The response of an emulator."""
        return emulator.handle(self.request(), now)


def json_of(value: JsonValue) -> bytes:
    """The JSON body of a value."""
    return msgspec.json.encode(value)


def form_of(fields: Mapping[str, str]) -> bytes:
    """The URL-encoded body of these fields."""
    return urlencode(fields).encode()


def multipart_of(fields: Mapping[str, str], boundary: str = "limit") -> bytes:
    """The multipart body of these fields."""
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return ("".join(parts) + f"--{boundary}--\r\n").encode()


def whole(response: EmulatorResponse) -> bytes:
    """The whole body."""
    return b"".join(chunk.data for chunk in response.chunks)


def answered(response: EmulatorResponse) -> JsonValue:
    """The JSON body of a response with status 200."""
    assert response.status == 200, whole(response)
    return msgspec.json.decode(whole(response))


def events_of(response: EmulatorResponse) -> list[tuple[str, JsonValue]]:
    """The type and the data of each event of a stream. Data that is not JSON stays text."""
    assert response.status == 200, whole(response)
    assert dict(response.headers)["content-type"] == "text/event-stream; charset=utf-8"
    events = []
    for block in whole(response).decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = fields["data"]
        events.append((fields.get("event", ""), msgspec.json.decode(data) if data.startswith("{") else data))
    return events


def refused(response: EmulatorResponse, status: int, words: str) -> None:
    """Assert that the response has this status, and these words in its error message."""
    message = msgspec.json.decode(whole(response))["error"]["message"]
    assert (response.status, words in message) == (status, True), (response.status, message)


def asks(good: Sequence[Ask]) -> st.SearchStrategy[EmulatorRequest]:
    """Good requests with one part changed, or any number of parts."""
    values = sorted({"", *(value for ask in good for value in ask.headers.values())})
    text = st.text(st.characters(), max_size=40)
    json = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
        max_leaves=9,
    )
    bodies = st.one_of(
        st.sampled_from([ask.body for ask in good]),
        st.binary(max_size=60),
        json.map(json_of),
        st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud800"', b"9" * 5000, b"%zz=%", b"&" * 500, b"\xff"]),
    )
    targets = st.sampled_from([ask.target for ask in good])
    changes: dict[str, st.SearchStrategy[JsonValue]] = {
        "method": st.sampled_from(["GET", "POST", "HEAD", "PUT"]) | text,
        "target": targets | st.builds(lambda path, query: f"{path}?{query}", targets, text) | text,
        "headers": st.lists(st.tuples(text, text), max_size=3).map(tuple),
        "body": bodies,
        "base_url": text,
    }
    one_change = [st.fixed_dictionaries({name: strategy}) for name, strategy in changes.items()]
    any_change = st.one_of(*one_change, st.fixed_dictionaries({}, optional=changes))
    requests = st.sampled_from(good).map(Ask.request)
    return st.one_of(
        st.tuples(requests, any_change).map(lambda pair: msgspec.structs.replace(pair[0], **pair[1])),
        st.tuples(requests, st.integers(0, 20), st.sampled_from(values) | text).map(lambda it: _with_header(*it)),
    )


def _with_header(request: EmulatorRequest, place: int, value: str) -> EmulatorRequest:
    """A copy with another value in one header."""
    headers = list(request.headers)
    if headers:
        name, _ = headers[place % len(headers)]
        headers[place % len(headers)] = (name, value)
    return msgspec.structs.replace(request, headers=tuple(headers))


moments = st.just(NOW) | st.floats()


def check_any(emulator: Emulator, request: EmulatorRequest, now: float) -> None:
    """Assert that the emulator responds to any request, and that an error response has a message."""
    response = emulator.handle(request, now)
    if response.status != 200:
        assert response.status in (400, 401, 403, 404, 405, 409)
        assert msgspec.json.decode(whole(response))["error"]["message"]
