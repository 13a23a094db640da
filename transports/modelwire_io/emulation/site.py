"""All emulators behind one address: provider P under `/P/`, with the paths of the real hosts below that."""

from __future__ import annotations

import os
import re
import time
from urllib.parse import urlsplit

from modelwire.emulators import EMULATORS
from modelwire.emulators.emulator import Behaviour, Emulator, EmulatorRequest, EmulatorResponse
from modelwire.emulators.parts.responses import error_response
from modelwire.http import Headers, find_header

from .journal import Journal, RequestRecord

# The provider and what is below it; a host before that is how one speaks to a proxy (RFC 9112, 3.2.2).
_PLACE = re.compile(r"(?:https?://[^/?]*)?/([^/?]*)(.*)", re.IGNORECASE)


class EmulatedSite:
    """One emulator of each provider at `url`, and the journal of what they were asked."""

    def __init__(self, url: str, behaviour: Behaviour, journal: Journal) -> None:
        self.journal = journal
        self._urls = {urlsplit(url).netloc: url}
        self._urls[f"localhost:{urlsplit(url).port}"] = f"http://localhost:{urlsplit(url).port}"
        self._url = url
        # Nothing that was issued by an earlier site on the same port is good here.
        self._emulators: dict[str, Emulator] = {
            name: kind(behaviour, os.urandom(16)) for name, kind in EMULATORS.items()
        }

    def respond(
        self, method: str, target: str, headers: Headers, body: bytes
    ) -> tuple[RequestRecord, EmulatorResponse]:
        """What the emulator says, and the record of it, already in the journal."""
        place = _PLACE.fullmatch(target)
        name, rest = (place[1], place[2]) if place else ("", target)
        below = rest if rest.startswith("/") else f"/{rest}"
        emulator = self._emulators.get(name)
        if emulator is None:
            response = error_response(404, f"there is no such provider here; there are: {', '.join(self._emulators)}")
        else:
            request = EmulatorRequest(
                # HEAD is GET without the body, which the connection leaves out.
                method="GET" if method == "HEAD" else method,
                target=below,
                headers=headers,
                body=body,
                base_url=f"{self._called(headers)}/{name}",
            )
            response = emulator.handle(request, time.time())
        record = RequestRecord(
            method=method,
            provider=name if emulator else "",
            target=below if emulator else target,
            header_names=tuple(header for header, _ in headers),
            status=response.status,
        )
        self.journal.begin(record)
        return record, response

    def _called(self, headers: Headers) -> str:
        """The site's URL by the name that the client uses: what it gets from us is then of the origin that it knows."""
        return self._urls.get((find_header(headers, "host") or "").lower(), self._url)


def provider_urls(url: str) -> dict[str, str]:
    """Where each provider is, on a site at `url`."""
    return {name: f"{url}/{name}" for name in EMULATORS}
