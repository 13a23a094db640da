"""Invalid bodies: not JSON, JSON of another shape, not text."""

from __future__ import annotations

from .scenario import chat, order
from .server import Routes, say, say_json
from .sites import (
    ACCESS_TOKEN,
    ANSWER,
    CONVERSATION,
    CROMICLE,
    HAILUO,
    INDEX,
    LOADS,
    MAGICKPEN,
    PICTURE_PATH,
    SESSION,
    SIGN_UP,
    STATUS,
    SUBMIT,
    fakegpt_answer,
    hailuo_answer,
    stream,
)

DEEP = 100_000
HTML = b"<!DOCTYPE html><html><title>Just a moment...</title></html>"

# Bodies that are not the expected JSON object.
NO_JSON = {
    "HTML": HTML,
    "nothing": b"",
    "blanks": b" \n\t " * 100,
    "null": b"null",
    "a text": b'"text"',
    "a number": b"1",
    "a list": b"[]",
    "an object that is empty": b"{}",
    "an object that is cut off": b'{"status": "DO',
    "two objects": b"{}{}",
    "lists in lists, a hundred thousand deep": b"[" * DEEP + b"]" * DEEP,
    "objects in objects, a hundred thousand deep": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "brackets without an end": b"[" * DEEP,
    "a number of a million digits": b"9" * 1_000_000,
    "a number beyond all floats": b"1e999999999",
    "NaN": b"NaN",
    "bytes that are no UTF-8": b"\xff\xfe\xfd",
    "a lone surrogate": rb'"\ud800"',
    "zero bytes": bytes(1000),
    "UTF-16": '{"status": "DONE"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "JavaScript": b"{status: 'DONE'}",
}

# Valid objects but for the value of one field.
NO_FIELD: dict[str, str] = {
    "null": "null",
    "a list": "[]",
    "an object": "{}",
    "true": "true",
    "a deep list": "[" * DEEP + "]" * DEEP,
    "a huge number": "9" * 5000,
    "a lone surrogate": r'"\ud800"',
    "surrogates the wrong way round": r'"\udc00\ud800"',
    "a raw line end": '"a\nb"',
    "an unknown escape": r'"\x41"',
}


# Values of a text field. `null` is valid there, and a line of an event cannot hold a raw line end.
NO_TEXT = {what: value for what, value in NO_FIELD.items() if what not in ("null", "a raw line end")}

ODD, EVEN = list(NO_JSON)[1::2], list(NO_JSON)[::2]

# Routes whose JSON has one field that matters.
TEMPLATES = {
    STATUS: '{"status": ?, "response": []}',
    SESSION: '{"accessToken": ?}',
    CONVERSATION: fakegpt_answer("?").replace('"?"', "?"),
    HAILUO: hailuo_answer("?").replace('"?"', "?"),
}


def with_field(path: str, value: str) -> Routes:
    """A route whose JSON has this value in its one field."""
    return {path: say(TEMPLATES[path].replace("?", value))}


def event_of(data: bytes) -> Routes:
    """Streams of one event."""
    named = b"event: message_result\ndata: " + data + b"\n\n"
    return {CONVERSATION: stream(named), HAILUO: stream(named)}


SCENARIOS = [
    # Instead of a whole body: every value for one provider, half of them for the others.
    *(order(f"the status is answered with {what}", {STATUS: say(body)}, "protocol") for what, body in NO_JSON.items()),
    *(order(f"the sign-up is answered with {what}", {SIGN_UP: say(NO_JSON[what])}, "protocol") for what in ODD),
    *(chat("fakegpt", f"the tokens are {what}", {LOADS: say(NO_JSON[what])}, "protocol") for what in EVEN),
    *(chat("fakegpt", f"an event of {what}", event_of(NO_JSON[what]), "protocol truncated no_answer") for what in ODD),
    *(chat("hailuo", f"an event of {what}", event_of(NO_JSON[what]), "protocol truncated no_answer") for what in EVEN),
    order("the order is answered with HTML", {SUBMIT: say(HTML)}, "in_doubt"),
    order("the order is answered with nothing", {SUBMIT: say()}, "in_doubt"),
    order(
        "the order is answered with deep lists",
        {SUBMIT: say(NO_JSON["lists in lists, a hundred thousand deep"])},
        "in_doubt",
    ),
    order("the order is answered with an error", {SUBMIT: say_json({"error": {"message": "no"}})}, "job_failed"),
    # Instead of one field.
    *(order(f"the status is {what}", with_field(STATUS, value), "protocol") for what, value in NO_FIELD.items()),
    *(
        chat("fakegpt", f"the token is {what}", with_field(SESSION, value), "protocol")
        for what, value in NO_FIELD.items()
    ),
    *(
        chat("fakegpt", f"the text is {what}", with_field(CONVERSATION, value), "protocol")
        for what, value in NO_TEXT.items()
    ),
    *(chat("hailuo", f"the text is {what}", with_field(HAILUO, value), "protocol") for what, value in NO_TEXT.items()),
    # Keys.
    order(
        "two statuses, of which the last counts",
        {STATUS: say('{"status": "FAILED", "status": "DONE", "response": [{"url": "{base}/picture.png"}]}')},
        "answer job_failed protocol",
    ),
    chat(
        "fakegpt", "two tokens", {SESSION: say(f'{{"accessToken": "evil", "accessToken": "{ACCESS_TOKEN}"}}')}, "answer"
    ),
    order(
        "a hundred thousand unknown keys",
        {
            STATUS: say_json(
                {"status": "DONE", "response": [{"url": "{base}/picture.png"}], **{f"k{i}": i for i in range(100_000)}}
            )
        },
        "limit answer",
    ),
    # Streams of events.
    chat("fakegpt", "HTML instead of events", {CONVERSATION: say(HTML, "Content-Type: text/html")}, "no_answer"),
    chat("fakegpt", "JSON instead of events", {CONVERSATION: say_json({"error": "no"})}, "no_answer"),
    chat("fakegpt", "an answer without text", {CONVERSATION: stream("data: [DONE]\n\n")}, "no_answer"),
    chat(
        "fakegpt",
        "a text that is taken back",
        {CONVERSATION: stream(fakegpt_answer("Twice", ANSWER))},
        "answer",
        answer=None,
    ),
    chat(
        "fakegpt",
        "text after the end",
        {CONVERSATION: stream(fakegpt_answer(ANSWER) + fakegpt_answer("evil"))},
        "answer",
    ),
    chat(
        "fakegpt",
        "an error in the middle",
        {CONVERSATION: stream(fakegpt_answer("Once", end="") + 'event: error\ndata: {"detail": "no"}\n\n')},
        "truncated protocol",
    ),
    chat("hailuo", "HTML instead of events", {HAILUO: say(HTML)}, "no_answer"),
    chat(
        "hailuo", "events of unknown names", {HAILUO: stream("event: evil\ndata: x\n\n" * 1000)}, "truncated no_answer"
    ),
    chat("hailuo", "an end before the beginning", {HAILUO: stream(hailuo_answer())}, "no_answer"),
    chat(
        "hailuo",
        "events that are no UTF-8",
        {HAILUO: stream(b"event: message_result\ndata: \xff\xfe\n\n")},
        "protocol truncated",
    ),
    # Plain text.
    chat("cromicle", "an empty answer", {CROMICLE: say()}, "no_answer"),
    chat("cromicle", "UTF-16", {CROMICLE: say(ANSWER.encode("utf-16"))}, "answer", answer=None),
    chat(
        "cromicle", "bytes that are no UTF-8", {CROMICLE: say(b"\xff\xfe\xed\xa0\x80")}, "answer truncated", answer=None
    ),
    chat("magickpen", "a page that is empty", {INDEX: say()}, "protocol"),
    chat("magickpen", "a page that is not UTF-8", {INDEX: say(b"<script src=\xff\xfe>" * 1000)}, "protocol"),
    chat(
        "magickpen",
        "ten thousand scripts, of which some are looked through",
        {
            INDEX: say("".join(f'<script src="/_nuxt/{i}.js"></script>' for i in range(10_000))),
            "/_nuxt/": say("nothing"),
        },
        "protocol",
    ),
    chat("magickpen", "tags without an end", {INDEX: say("<script " * 100_000)}, "protocol"),
    chat("magickpen", "an answer that is HTML", {MAGICKPEN: say(HTML)}, "answer", answer=None),
    order("an image that is HTML", {PICTURE_PATH: say(HTML, "Content-Type: image/png")}, "protocol"),
    order("an image that is empty", {PICTURE_PATH: say("", "Content-Type: image/png")}, "protocol"),
    order(
        "an image with scripts in it",
        {PICTURE_PATH: say('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "Content-Type: image/svg+xml")},
        "protocol",
    ),
    order(
        "an image that is a program",
        {PICTURE_PATH: say(b"\x7fELF" + bytes(100), "Content-Type: image/png")},
        "protocol",
    ),
]
