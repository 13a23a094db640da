"""Downloading one image: a flow like any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .errors import RemoteProtocolError
from .flow import Flow, Steps
from .http import Request, origin
from .json import describe
from .outputs import ImageReceived

# The first bytes of each kind of image. The server's Content-Type is not trusted.
# https://mimesniff.spec.whatwg.org/#matching-an-image-type-pattern
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(kw_only=True)
class ImageDownload(Flow):
    """Downloads the image at `url`: one `ImageReceived`.

    The address must be public, unless the image is on the provider's own host (`provider_url`). Redirects are not
    followed, and no credentials are sent. Raises `InvalidInput` for a URL that is not http(s).
    """

    default_timeout: ClassVar[float] = 120.0

    url: str
    provider_url: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.image_request()

    def start(self) -> Steps:
        """Download it, and check that it is an image."""
        response = yield from self.fetch(self.image_request)
        media_type = image_type(response.body)
        if media_type is None:
            raise RemoteProtocolError(f"instead of an image came {describe(response.body)}")
        self.emit(ImageReceived(self.url, response.body, media_type))

    def image_request(self) -> Request:
        """The request for the image."""
        is_provider = origin(self.url) == origin(self.provider_url)
        return Request(
            method="GET",
            url=self.url,
            headers=(("accept", "image/*"),),
            public_only=not is_provider,
        )


def image_type(data: bytes) -> str | None:
    """The media type of an image by its first bytes; None if it is not a known one."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media_type for signature, media_type in _SIGNATURES if data.startswith(signature)), None)
