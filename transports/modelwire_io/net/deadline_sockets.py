"""Sockets with an absolute deadline, also for libraries that know only timeouts.

A socket's own timeout starts again with each read, so a server that sends one byte at a time can hold a request for
ever. With these sockets every operation ends by `deadline`, no matter which library reads and writes.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from typing import Any


class _DeadlineMixin:
    """Sets the timeout before each operation. `deadline` is monotonic time, `silence` the seconds for one operation."""

    deadline = math.inf
    silence = math.inf

    def settimeout(self, value: float | None) -> None:
        """Set the seconds that one operation may take; None: as long as the deadline allows."""
        self.silence = math.inf if value is None else value
        super().settimeout(value)  # type: ignore[misc]

    def recv(self, *arguments: Any, **options: Any) -> bytes:
        """Read some bytes. Raises `TimeoutError` if none arrive in time."""
        self._arm_timeout()
        data: bytes = super().recv(*arguments, **options)  # type: ignore[misc]
        return data

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        """Read some bytes into a buffer. Raises `TimeoutError` if none arrive in time."""
        self._arm_timeout()
        size: int = super().recv_into(*arguments, **options)  # type: ignore[misc]
        return size

    def send(self, *arguments: Any, **options: Any) -> int:
        """Send some bytes; returns how many. Raises `TimeoutError` if none can be sent in time."""
        self._arm_timeout()
        size: int = super().send(*arguments, **options)  # type: ignore[misc]
        return size

    def sendall(self, data: Any, *arguments: Any, **options: Any) -> None:
        """Send all of it. `silence` is counted from the last part that was sent."""
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
    """A socket with a deadline."""


class DeadlineTlsSocket(_DeadlineMixin, ssl.SSLSocket):
    """A TLS socket with a deadline. To create it, set it as an `SSLContext`'s `sslsocket_class`."""
