"""All emulators at one address. Provider P is under `/P/`, followed by the same paths as on its own hosts."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from modelwire.emulators import EMULATORS
from modelwire.emulators.emulator import Behaviour, Emulator, EmulatorRequest, EmulatorResponse, MakeEmulator
from modelwire.emulators.parts.responses import error_response
from modelwire.http import Headers, find_header

from .journal import Journal, RequestRecord

# The provider and the rest of a target. A request to a proxy has scheme and host before them (RFC 9112, 3.2.2).
_TARGET = re.compile(r"(?:https?://[^/?]*)?/([^/?]*)(.*)", re.IGNORECASE)


class EmulatedSite:
    """One emulator of each provider in `makers` at `url`, and the journal of their requests."""

    def __init__(
        self, url: str, behaviour: Behaviour, journal: Journal, makers: Mapping[str, MakeEmulator] = EMULATORS
    ) -> None:
        self.journal = journal
        self._behaviour = behaviour
        self._makers = makers
        self._emulators: dict[str, Emulator] = {}
        self._urls = {urlsplit(url).netloc: url}
        self._urls[f"localhost:{urlsplit(url).port}"] = f"http://localhost:{urlsplit(url).port}"
        self._url = url

    def respond(
        self, method: str, target: str, headers: Headers, body: bytes
    ) -> tuple[RequestRecord, EmulatorResponse]:
        """Take a request. Returns its record, which is already in the journal, and the response."""
        match = _TARGET.fullmatch(target)
        name, rest = (match[1], match[2]) if match else ("", target)
        own_target = rest if rest.startswith("/") else f"/{rest}"
        emulator = self._find(name)
        if emulator is None:
            response = error_response(404, f"unknown provider: there are: {', '.join(self._makers)}")
        else:
            request = EmulatorRequest(
                # HEAD is GET without a body. The connection leaves the body out.
                method="GET" if method == "HEAD" else method,
                target=own_target,
                headers=headers,
                body=body,
                base_url=f"{self._site_url(headers)}/{name}",
            )
            response = emulator.handle(request, time.time())
        record = RequestRecord(
            method=method,
            provider=name if emulator else "",
            target=own_target if emulator else target,
            header_names=tuple(header for header, _ in headers),
            status=response.status,
        )
        self.journal.begin(record)
        return record, response

    def _find(self, name: str) -> Emulator | None:
        """The emulator of this provider, made at its first request."""
        if name in self._makers and name not in self._emulators:
            # With random bytes, so that credentials from an earlier site on the same port are not valid here.
            self._emulators[name] = self._makers[name](self._behaviour, os.urandom(16))
        return self._emulators.get(name)

    def _site_url(self, headers: Headers) -> str:
        """The site's URL with the host name that the client used, so that URLs in responses have the same origin."""
        return self._urls.get((find_header(headers, "host") or "").lower(), self._url)
