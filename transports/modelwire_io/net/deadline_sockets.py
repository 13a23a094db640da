"""Sockets that keep an absolute deadline, whoever reads and writes them.

A socket's own timeout begins anew with each byte, so that what drips lasts for ever. Here every operation ends by
`deadline`, also inside a library that knows nothing of it.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from typing import Any


class _DeadlineMixin:
    """What is added to a socket. `deadline` is monotonic time, `silence` the seconds that one operation may take."""

    deadline = math.inf
    silence = math.inf

    def settimeout(self, value: float | None) -> None:
        """The seconds that one operation may take; None: as long as the deadline allows."""
        self.silence = math.inf if value is None else value
        super().settimeout(value)  # type: ignore[misc]

    def recv(self, *arguments: Any, **options: Any) -> bytes:
        """Some bytes, in time. Raises `TimeoutError`."""
        self._arm_timeout()
        data: bytes = super().recv(*arguments, **options)  # type: ignore[misc]
        return data

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """The same, into a buffer."""
        self._arm_timeout()
        size: int = super().recv_into(*arguments, **options)  # type: ignore[misc]
        return size

    def send(self, *arguments: Any, **options: Any) -> int:
        """Send what can be sent now, or in time."""
        self._arm_timeout()
        size: int = super().send(*arguments, **options)  # type: ignore[misc]
        return size

    def sendall(self, data: Any, *arguments: Any, **options: Any) -> None:
        """Send all of it. Each part of it that goes out is a sign of life."""
        with memoryview(data) as view, view.cast("B") as octets:
            sent = 0
            while sent < len(octets):
                sent += self.send(octets[sent:], *arguments, **options)

    def _arm_timeout(self) -> None:
        left = min(self.silence, self.deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError("timed out")
        super().settimeout(None if left == math.inf else left)  # type: ignore[misc]


class DeadlineSocket(_DeadlineMixin, socket.socket):
    """A socket that keeps a deadline."""


class DeadlineTlsSocket(_DeadlineMixin, ssl.SSLSocket):
    """The same under TLS. Made by an `SSLContext` whose `sslsocket_class` it is."""
