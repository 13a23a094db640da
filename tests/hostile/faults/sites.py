"""Correct routes of the providers' services. A scenario replaces some of them."""

from __future__ import annotations

from modelwire.json import JsonValue

from .server import Routes, WholeResponse, events, say, say_json

ANSWER = "Once upon a time"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))

# Secrets that the services issue. None may reach another origin or a message.
ARTA_TOKEN, ARTA_REFRESH = "token-of-arta", "refresh-of-arta"
ACCESS_TOKEN, SHARED_TOKEN, SESSION_COOKIE = "access-of-fakegpt", "shared-of-fakegpt", "cookie-of-fakegpt"
API_SECRET, PAGE_SECRET = "api_secret_of_magickpen", "secret_of_magickpen"
ISSUED = (ARTA_TOKEN, ARTA_REFRESH, ACCESS_TOKEN, SHARED_TOKEN, SESSION_COOKIE, API_SECRET, PAGE_SECRET)

# Paths whose routes scenarios replace.
LOADS, LOGIN, SESSION, CONVERSATION = "/api/loads", "/auth/login", "/api/auth/session", "/api/conversation"
HAILUO = "/v4/api/chat/msg"
SIGN_UP, SUBMIT = "/identitytoolkit", "/api/v1/text2image"
REFRESH, STATUS, PICTURE_PATH = "/v1/token", f"{SUBMIT}/", "/picture"
INDEX, BUNDLE, MAGICKPEN = "/", "/_nuxt/", "/ask"
CROMICLE = "/chat"


def stream(body: str | bytes) -> WholeResponse:
    """An event stream."""
    return say(body, "Content-Type: text/event-stream")


def fakegpt_event(text: JsonValue) -> JsonValue:
    """An event with the text so far."""
    return {"message": {"metadata": {"message_type": "next"}, "content": {"parts": [text]}}}


def fakegpt_answer(*texts: JsonValue, end: str = "data: [DONE]\n\n") -> str:
    """Events with the growing text of an answer, and the mark of its end."""
    return events(*map(fakegpt_event, texts), end=end)


def hailuo_answer(*texts: JsonValue, end: str = "event: close_chunk\ndata: {}\n\n") -> str:
    """Events with the growing text of an answer, and the mark of its end."""
    return events(*({"data": {"messageResult": {"content": text}}} for text in texts), name="message_result", end=end)


def job(status: JsonValue, *urls: JsonValue) -> WholeResponse:
    """The status of a job, and the URLs of its images."""
    return say_json({"status": status, "response": [{"url": url} for url in urls]})


def image_at(url: str) -> Routes:
    """The route of a job that is done, with its image at this URL."""
    return {STATUS: job("DONE", url)}


SITES: dict[str, dict[str, WholeResponse]] = {
    "cromicle": {CROMICLE: say(ANSWER)},
    "magickpen": {
        INDEX: say('<html><script src="/_nuxt/app.js"></script></html>'),
        BUNDLE: say(f'{{"X-API-Secret":"{API_SECRET}"}},{{secret:"{PAGE_SECRET}"}}'),
        MAGICKPEN: say(ANSWER),
    },
    "fakegpt": {
        LOADS: say_json({"loads": [{"token_id": SHARED_TOKEN}]}),
        LOGIN: say("", f"Set-Cookie: session={SESSION_COOKIE}; Path=/"),
        SESSION: say_json({"accessToken": ACCESS_TOKEN}),
        CONVERSATION: stream(fakegpt_answer(ANSWER[:4], ANSWER)),
    },
    "hailuo": {HAILUO: stream(hailuo_answer(ANSWER[:4], ANSWER))},
    "arta": {
        SIGN_UP: say_json({"idToken": ARTA_TOKEN, "refreshToken": ARTA_REFRESH, "expiresIn": "3600"}),
        REFRESH: say_json({"id_token": ARTA_TOKEN, "refresh_token": ARTA_REFRESH, "expires_in": "3600"}),
        SUBMIT: say_json({"record_id": "job-1"}),
        STATUS: job("DONE", "{base}/picture.png"),
        PICTURE_PATH: say(PICTURE),
    },
}
