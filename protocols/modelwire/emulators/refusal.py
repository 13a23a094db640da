"""How an emulated service says no."""

from __future__ import annotations

from modelwire.emulators.emulator import EmulatorResponse
from modelwire.emulators.responses import error_response
from modelwire.http import Headers


class Refusal(Exception):
    """The request is not answered; the message says in words what is wrong with it."""

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers

    def response(self) -> EmulatorResponse:
        """The same, as it is sent."""
        return error_response(self.status, str(self), self.headers)
