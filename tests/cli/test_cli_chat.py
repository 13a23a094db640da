"""`modelwire chat`: the answer, the prompt, and the conversation."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import msgspec
import pytest

from command_line import Home, Inside, files_in
from modelwire.catalog import PROVIDERS
from modelwire.emulators.parts.model_answers import answer_to
from raw_server import RawServer, response

CHATS = [name for name, provider in PROVIDERS.items() if provider.chat is not None]
TOKEN = b"emulated-token"
SAID = answer_to("Hello there")


def strings_in(value: object) -> Iterator[str]:
    """Every string in a JSON value, but for the names of fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from strings_in(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from strings_in(entry)


@pytest.mark.parametrize("provider", CHATS)
def test_the_answer_goes_to_stdout_and_everything_else_to_stderr(user: Inside, provider: str) -> None:
    result = user.run("chat", "-m", provider, "Hello", "there")
    assert result.code == 0
    assert result.out.endswith(f"{SAID}\n")
    if provider == "hailuo":
        assert result.out.startswith("(This is message 1 of chat ")
        assert result.err == "title: Hello there\n"
    else:
        assert (result.out, result.err) == (f"{SAID}\n", "")


def test_the_prompt_comes_from_words_or_from_stdin(user: Inside) -> None:
    ways: list[tuple[tuple[str, ...], bytes]] = [
        (("Hello", "there"), b"not read"),
        ((), b"Hello there\n"),
        (("-",), b"\n Hello there \n\n"),
        (("--", "Hello there"), b""),
    ]
    for words, typed in ways:
        assert user.run("chat", *words, typed=typed).out == f"{SAID}\n"
    assert user.run("chat", typed="Grüezi 雪\nzwei".encode()).out == f"{answer_to('Grüezi 雪' + chr(10) + 'zwei')}\n"
    assert user.run("chat", typed=b"caf\xe9").out == f"{answer_to('caf�')}\n"
    assert user.run("chat", "--", "-5", "+", "3").out == f"{answer_to('-5 + 3')}\n"


def test_a_system_message_comes_first(user: Inside) -> None:
    result = user.run("chat", "-s", "be brief", "hi")
    assert result.out == f"{answer_to('System: be brief' + chr(10) + 'User: hi' + chr(10) + 'Assistant:')}\n"


def test_a_chat_continues_the_last_one(user: Inside) -> None:
    fresh = user.run("chat", "-c", "one")
    assert fresh.err == "there is no conversation with Cromicle to continue: this begins one\n"
    again = user.run("chat", "-c", "two")
    transcript = ["User: one", f"Assistant: {answer_to('one')}", "User: two", "Assistant:"]
    assert (again.out, again.err) == (f"{answer_to(chr(10).join(transcript))}\n", "")
    # A question without -c begins a new conversation, which a later -c continues.
    user.run("chat", "three")
    third = user.run("chat", "-c", "four")
    transcript = ["User: three", f"Assistant: {answer_to('three')}", "User: four", "Assistant:"]
    assert third.out == f"{answer_to(chr(10).join(transcript))}\n"
    assert "no conversation with FakeGpt" in user.run("chat", "-m", "fakegpt", "-c", "hi").err


def test_a_conversation_continues_in_another_process(home: Home) -> None:
    with home.started("emulate") as server:
        url = msgspec.json.decode(server.wait_for("\n"))["providers"]["hailuo"]
        at_emulator = ("--base-url", url)
        assert home.run("login", "hailuo", "--token-stdin", *at_emulator, typed=TOKEN).code == 0
        first = home.run("chat", "-m", "hailuo", *at_emulator, "Hello there")
        second = home.run("chat", "-m", "hailuo", "-c", *at_emulator, "And now?")
    chat = first.out.partition("(This is message 1 of chat ")[2].partition(".)")[0]
    assert chat.isdecimal()
    assert second.out == f"(This is message 2 of chat {chat}.) {answer_to('And now?')}\n"
    saved = files_in(home.path)
    assert {path.name for path in saved if path.suffix == ".json"} == {"hailuo.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in saved} == {0o600}


def test_a_conversation_that_cannot_be_saved_is_only_noted(user: Inside) -> None:
    user.home.state.parent.parent.write_bytes(b"a file in the way")
    result = user.run("chat", "Hello there")
    assert (result.code, result.out) == (0, f"{SAID}\n")
    assert len(result.notes) == 1
    assert result.err.startswith("modelwire: -c will not continue this conversation: cannot make the directory ")


def test_a_damaged_conversation_is_named_and_left_alone(user: Inside) -> None:
    user.run("chat", "one")
    path = user.home.state / "cromicle.json"
    path.write_bytes(b"{")
    result = user.run("chat", "-c", "two")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"modelwire: {path} is damaged: repair it, or delete it to start over\n"
    assert path.read_bytes() == b"{"


@pytest.mark.parametrize("provider", CHATS)
def test_json_lines_hold_everything_but_secrets(user: Inside, provider: str) -> None:
    result = user.run("chat", "-m", provider, "--json", "Hello there")
    assert (result.code, result.err) == (0, "")
    lines = result.json_lines
    assert lines[-1] == {"type": "Finished", "failure": None}
    answer = "".join(line["text"] for line in lines if line["type"] == "TextDelta")
    assert answer.endswith(SAID)
    stored = [msgspec.json.decode(path.read_bytes()) for path in files_in(user.home.path) if path.suffix == ".json"]
    secrets = {text for content in stored for origin in content["origins"].values() for text in strings_in(origin)}
    if provider == "hailuo":
        assert {"token": "[secret]", "chatID": "[secret]", "characterID": "[secret]"} in [
            line.get("conversation") for line in lines
        ]
        assert TOKEN.decode() in secrets
    if provider == "fakegpt":
        assert {"access_token": "[secret]", "cookies": "[secret]"} in [line.get("credentials") for line in lines]
        assert any(len(secret) == 32 for secret in secrets)
    # The answer itself may contain one: Hailuo's emulator writes the number of the chat.
    assert not [secret for secret in secrets if len(secret) > 12 and secret not in answer and secret in result.out]


def hailuo_says(*contents: str) -> bytes:
    """A response of Hailuo AI whose events hold these contents, each the whole answer so far."""
    data = [{"data": {"messageResult": {"content": content}}} for content in contents]
    events = [b"event: message_result\ndata: %b\n\n" % msgspec.json.encode(entry) for entry in data]
    body = b"".join(events) + b"event: close_chunk\ndata: {}\n\n"
    return response("Content-Type: text/event-stream", f"Content-Length: {len(body)}", body=body)


def test_a_revised_answer_is_announced_and_printed_whole(inside: Inside) -> None:
    revised = hailuo_says("It is ra", "It is raining.", "It is snowing.", "It is snowing. Really.")
    with RawServer(*[lambda connection: connection.respond(revised)] * 2) as server:
        there = ("-m", "hailuo", "--base-url", server.url)
        inside.run("login", "hailuo", "--base-url", server.url, "--token-stdin", typed=b"T-12345678")
        result = inside.run("chat", *there, "the weather?")
        history = msgspec.json.decode((inside.home.state / "hailuo.json").read_bytes())["origins"][server.url]
        lines = inside.run("chat", *there, "--json", "the weather?").json_lines
    assert (result.code, result.out) == (0, "It is raining.\nIt is snowing. Really.\n")
    assert result.err == "the provider revised its answer, which now is:\n"
    assert history["messages"][-1] == {"role": "assistant", "content": "It is snowing. Really."}
    assert {"type": "TextReplaced", "text": "It is snowing."} in lines
