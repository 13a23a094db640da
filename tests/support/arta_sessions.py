"""ARTA flows, and scripted responses of its service."""

from __future__ import annotations

from typing import Any

from modelwire.outputs import StatusChanged
from modelwire.providers.arta import ArtaCredentials, ArtaImage
from played_flow import NOW, Outcome, PlayedFlow, ScriptedResponse, play, say_json

API_KEY = "AIza/key+1="
SIGN_UP_URL = "https://www.googleapis.com/identitytoolkit/v3/relyingparty/signupNewUser?key=AIza%2Fkey%2B1%3D"
REFRESH_URL = "https://securetoken.googleapis.com/v1/token?key=AIza%2Fkey%2B1%3D"
SUBMIT_URL = "https://img-gen-prod.ai-arta.com/api/v1/text2image"
STATUS_URL = f"{SUBMIT_URL}/record-1/status"
SIGNED_UP = say_json(
    {"kind": "x", "idToken": "id-token-1", "refreshToken": "refresh-token-1", "expiresIn": "3600", "localId": "y"}
)
REFRESHED = say_json(
    {"id_token": "id-token-2", "refresh_token": "refresh-token-2", "expires_in": "7200", "user_id": "y"}
)
SUBMITTED = say_json({"record_id": "record-1"})
WAITING = StatusChanged("waiting", "Waiting")
GENERATING = StatusChanged("generating", "Generating")
KEY_ALONE = ArtaCredentials(api_key=API_KEY)


def issued(age: float, expires_in: float = 3600.0, **fields: Any) -> ArtaCredentials:
    """Credentials that were issued `age` seconds ago."""
    defaults: dict[str, Any] = {
        "api_key": API_KEY,
        "id_token": "issued-id-token",
        "refresh_token": "issued-refresh-token",
    }
    return ArtaCredentials(**defaults | fields, issued_at=NOW - age, expires_in=expires_in)


def arta(prompt: str = "a dragon", **fields: Any) -> ArtaImage:
    given: dict[str, Any] = {"credentials": issued(age=10)}
    return ArtaImage(prompt=prompt, **given | fields)


def status(name: str, *urls: str) -> ScriptedResponse:
    return say_json({"status": name, "response": [{"url": url} for url in urls], "record_id": "record-1"})


def done(*urls: str) -> ScriptedResponse:
    return status("DONE", *(urls or ("https://images.example/1.png",)))


def polled(*responses: Outcome, **fields: Any) -> PlayedFlow:
    """A session whose job was accepted, and which got these responses to its polls."""
    return play(arta(**fields), SUBMITTED, *responses)


def calls(session: PlayedFlow) -> list[tuple[str, str]]:
    return [(request.method, request.url) for request in session.requests]


SIGN_UP, REFRESH, SUBMIT, STATUS = (
    ("POST", SIGN_UP_URL),
    ("POST", REFRESH_URL),
    ("POST", SUBMIT_URL),
    ("GET", STATUS_URL),
)
