"""The download of one image."""

from __future__ import annotations

import pytest

from modelwire.download import ImageDownload, image_type
from modelwire.errors import InvalidInput
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.outputs import ImageReceived
from played_flow import ScriptedResponse, begin, bytewise, header_map, play, say, through_json

URL = "https://images.example/1.png?signature=S3cret"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def download(
    url: str = URL, provider_url: str = "https://api.example", limits: Limits = DEFAULT_LIMITS
) -> ImageDownload:
    return ImageDownload(url=url, provider_url=provider_url, limits=limits)


def test_an_image() -> None:
    session = begin(download())
    request = session.request
    assert (request.method, request.url, request.body) == ("GET", URL, b"")
    assert header_map(request) == {"accept": "image/*"}
    assert request.public_only
    session.play(ScriptedResponse(chunks=bytewise(PNG), headers=(("content-type", "text/plain"),)))
    assert session.outputs == [ImageReceived(URL, PNG, "image/png")]
    assert session.succeeded


@pytest.mark.parametrize(
    ("url", "is_public_only"),
    [
        ("http://127.0.0.1:8000/arta/1.png", False),
        ("http://127.0.0.1:8001/arta/1.png", True),
        ("https://127.0.0.1:8000/arta/1.png", True),
        ("http://localhost:8000/1.png", True),
        ("http://169.254.169.254/latest/meta-data", True),
    ],
)
def test_the_address_may_be_private_only_at_the_provider_itself(url: str, is_public_only: bool) -> None:
    request = begin(download(url, "http://127.0.0.1:8000/arta")).request
    assert request.public_only == is_public_only


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://a.example/", "data:image/png;base64,AA", "//a/", "https:x"]
)
def test_a_url_that_is_not_http_is_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidInput):
        download(url)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x01\x02\x03WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x01\x02\x03WAVE", None),
        (b"", None),
        (b"\x89PNG", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"GIF88a", None),
    ],
)
def test_the_first_bytes_decide_the_type(data: bytes, media_type: str | None) -> None:
    assert image_type(data) == media_type


@pytest.mark.parametrize(
    ("body", "what"), [(b"<!doctype html><p>", "an HTML page"), (b"", "an empty body"), (b"x" * 9, "9 bytes")]
)
def test_a_body_that_is_not_an_image_is_described_in_the_failure(body: bytes, what: str) -> None:
    failure = play(download(), say(body, content_type="image/png")).failure
    assert failure.kind == "protocol"
    assert failure.message.startswith(f"instead of an image came {what}")


def test_an_image_over_its_limit() -> None:
    assert play(download(limits=Limits(body=20, tries=1)), say(PNG)).failure.kind == "limit"


def test_a_redirect_is_not_followed() -> None:
    session = play(download(), say("", 302, location="http://127.0.0.1/"))
    assert session.failure.kind == "status"
    assert len(session.requests) == 1


def test_a_failure_does_not_show_the_signature_of_the_url() -> None:
    assert play(download(), say("", 404)).failure.message == "https://images.example/1.png answered with status 404"


def test_a_download_is_retried_and_can_be_restored() -> None:
    session = play(download(), say("", 503))
    assert play(through_json(session.flow), say(PNG)).succeeded


def test_it_takes_two_minutes_at_most() -> None:
    assert begin(download(limits=Limits(idle=1000.0))).flow.deadline == begin(download()).now + 120
