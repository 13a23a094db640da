from __future__ import annotations

import hashlib

import pytest
from hypothesis import given

from emulator_requests import NOW, Ask, asks, check_any, json_of, moments, refused, whole
from modelwire.emulators import Behaviour, CromicleEmulator, EmulatorRequest

PROMPT = "Wie heißt das 犬?"
HASH = hashlib.sha256(f"abc{PROMPT}".encode()).hexdigest()
FIELDS = {"message": PROMPT, "token": "abc", "hash": HASH}
CHAT = Ask("POST", "/chat", {"accept": "*/*", "content-type": "application/json"}, json_of(FIELDS))


def test_the_answer_is_raw_text_that_quotes_the_prompt() -> None:
    response = CHAT.of(CromicleEmulator())
    assert response.status == 200
    assert not response.stays_open
    assert PROMPT in whole(response).decode()


def test_the_answer_comes_in_small_chunks_that_split_characters() -> None:
    response = CHAT.of(CromicleEmulator(Behaviour(pause=0.5, chunk_size=3)))
    assert {chunk.pause for chunk in response.chunks} == {0.5}
    assert {len(chunk.data) for chunk in response.chunks[:-1]} == {3}
    with pytest.raises(UnicodeDecodeError):
        [chunk.data.decode() for chunk in response.chunks]


def test_a_chunk_has_at_least_one_byte() -> None:
    response = CHAT.of(CromicleEmulator(Behaviour(chunk_size=0)))
    assert {len(chunk.data) for chunk in response.chunks} == {1}


def test_header_names_in_other_case_and_media_types_with_parameters() -> None:
    ask = CHAT._replace(headers={"Accept": "*/*", "Content-Type": "Application/JSON; charset=utf-8", "User-Agent": "x"})
    assert ask.of(CromicleEmulator()).status == 200


@pytest.mark.parametrize("name", ["accept", "content-type"])
def test_a_missing_header(name: str) -> None:
    refused(CHAT.without(name).of(CromicleEmulator()), 400, f"the header {name!r}")


@pytest.mark.parametrize("name", ["message", "token", "hash"])
def test_a_missing_field(name: str) -> None:
    fields = {key: value for key, value in FIELDS.items() if key != name}
    refused(CHAT._replace(body=json_of(fields)).of(CromicleEmulator()), 400, f"missing required field `{name}`")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"message": 1}, 400, "$.message"),
        ({"message": " "}, 400, "'message' is empty"),
        ({"token": "abd"}, 403, "'token'"),
        ({"hash": HASH.upper()}, 403, "'hash' is not the SHA-256"),
        ({"message": PROMPT + "!"}, 403, "'hash' is not the SHA-256"),
    ],
)
def test_a_wrong_field(change: dict[str, object], status: int, words: str) -> None:
    refused(CHAT._replace(body=json_of(FIELDS | change)).of(CromicleEmulator()), status, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"message": "\\ud800"}', "not JSON"),
        (b'{"message": "\xff"}', "not JSON"),
        (b"[]", "Expected `object`"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_not_a_json_object(body: bytes, words: str) -> None:
    refused(CHAT._replace(body=body).of(CromicleEmulator()), 400, words)


def test_other_paths_and_methods() -> None:
    refused(CHAT._replace(target="/chats").of(CromicleEmulator()), 404, "there is no path /chats")
    response = CHAT._replace(method="GET").of(CromicleEmulator())
    refused(response, 405, "the path /chat allows only POST")
    assert ("allow", "POST") in response.headers


@pytest.mark.parametrize("target", ["", "chat", "/chat\n", "/ch ät", "/\ud800"])
def test_a_target_that_is_not_a_path(target: str) -> None:
    refused(CHAT._replace(target=target).of(CromicleEmulator()), 400, "the request target")


@given(request=asks([CHAT]), now=moments)
def test_never_raises(request: EmulatorRequest, now: float) -> None:
    check_any(CromicleEmulator(), request, now)


def test_the_clock_does_not_matter() -> None:
    assert CHAT.of(CromicleEmulator(), NOW).chunks == CHAT.of(CromicleEmulator(), NOW + 1e6).chunks
