"""A server of raw bytes on a loopback socket: a test gives a script for each connection, which reads and sends.

Every connection runs its script in its own thread. No wait lasts longer than `PATIENCE`. An exception in a script is
raised in the test when the server is closed.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from types import TracebackType
from typing import Self

# Seconds: the longest wait of a test before it fails. No wait of a test that passes takes that long.
PATIENCE = 5.0

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Connection:
    """One connection to the server, as its script uses it."""

    def __init__(self, peer: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._peer = peer
        self._tls = tls
        self._pending = b""
        self.received = b""
        self.saw_end = threading.Event()  # the client closed, or reset, its side

    def start(self) -> None:
        """Do the TLS handshake, if the server uses TLS."""
        if self._tls is not None:
            try:
                self._peer = self._tls.wrap_socket(self._peer, server_side=True)
            except ssl.SSLError:
                self.saw_end.set()
                raise ConnectionAbortedError("the client stopped during the handshake") from None

    def read_head(self) -> bytes:
        """Read the next request's head, up to and including the blank line."""
        while b"\r\n\r\n" not in self._pending:
            self._receive()
        head, separator, self._pending = self._pending.partition(b"\r\n\r\n")
        return head + separator

    def read_request(self) -> tuple[bytes, bytes]:
        """Read the next request's head, and its body by its Content-Length."""
        head = self.read_head()
        size = re.search(rb"\r\nContent-Length: *([0-9]+)\r\n", head, re.IGNORECASE)
        wanted = int(size[1]) if size is not None else 0
        while len(self._pending) < wanted:
            self._receive()
        body, self._pending = self._pending[:wanted], self._pending[wanted:]
        return head, body

    def read(self, size: int) -> bytes:
        """Read the next `size` bytes."""
        while len(self._pending) < size:
            self._receive()
        data, self._pending = self._pending[:size], self._pending[size:]
        return data

    def send(self, data: bytes) -> None:
        self._peer.sendall(data)

    def respond(self, data: bytes = OK) -> None:
        """Read a request, then send this response."""
        self.read_request()
        self.send(data)

    def drip(self, data: bytes, *, every: float) -> None:
        """Send `data` byte by byte, over and over, until the client closes its side."""
        for byte in cycle(data):
            if self._ends_within(every):
                return
            self.send(bytes((byte,)))

    def wait_for_end(self) -> None:
        """Read until the client closes its side."""
        try:
            while True:
                self._receive()
        except ConnectionError:
            pass

    def hang(self) -> None:
        """Neither read nor write until the server closes or the client has closed both sides."""
        poll = select.poll()
        poll.register(self._peer, 0)
        poll.poll(PATIENCE * 1000)

    def secure(self, tls: ssl.SSLContext) -> None:
        """Do a TLS handshake now, as the server behind a tunnel does."""
        self._peer = tls.wrap_socket(self._peer, server_side=True)

    def send_at_once(self, *pieces: bytes) -> None:
        """Send the pieces so that they arrive together. With TLS, each is its own record."""
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        for piece in pieces:
            self._peer.sendall(piece)
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def limit(self, seconds: float) -> None:
        """From now on raise `TimeoutError` if sending or receiving takes longer."""
        self._peer.settimeout(seconds)

    def reset(self) -> None:
        """Close the connection with a reset (RST) instead of an end (FIN)."""
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._peer.close()

    def close(self) -> None:
        self._peer.close()

    def interrupt(self) -> None:
        """Wake the script from any wait, because the server closes."""
        try:
            self._peer.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already

    def _receive(self) -> None:
        try:
            data = self._peer.recv(65536)
        except ConnectionError:
            self.saw_end.set()
            raise
        if not data:
            self.saw_end.set()
            raise ConnectionResetError("the client closed the connection")
        self.received += data
        self._pending += data

    def _ends_within(self, seconds: float) -> bool:
        """True if the client closes its side within these seconds."""
        self._peer.settimeout(seconds)
        try:
            self._receive()
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        else:
            return False
        finally:
            self._peer.settimeout(PATIENCE)


Script = Callable[[Connection], None]


class RawServer:
    """A context manager that listens while it is entered. The first connection runs the first script, and so on.

    A connection without a script is an error. `connections` holds the connections in order.
    """

    def __init__(self, *scripts: Script, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._host = host
        self._tls = tls
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._is_closing = False
        self._accepted = threading.Condition()
        self.connections: list[Connection] = []

    def __enter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._listener = socket.create_server((self._host, 0), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        # The first thread accepts connections, and starts the others.
        self._threads[0].join(PATIENCE)
        for connection in self.connections:
            connection.interrupt()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a script did not end"
        self._listener.close()
        if kind is None and self._errors:
            raise self._errors[0]

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://{self._host}:{self.port}"

    def connection(self, number: int = 0) -> Connection:
        """The connection of this number. Waits until it is accepted."""
        with self._accepted:
            assert self._accepted.wait_for(lambda: len(self.connections) > number, PATIENCE), (
                "the client did not connect"
            )
            return self.connections[number]

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return  # the listener was closed
            peer.settimeout(PATIENCE)
            connection = Connection(peer, self._tls)
            with self._accepted:
                self.connections.append(connection)
                self._accepted.notify_all()
            self._start(partial(self._run, len(self.connections), connection))

    def _run(self, number: int, connection: Connection) -> None:
        try:
            if number > len(self._scripts):
                raise AssertionError(f"there is no script for connection {number}")
            connection.start()
            self._scripts[number - 1](connection)
        except ConnectionError:
            connection.saw_end.set()  # the client closed its side: a test may check this
        except BaseException as error:
            if not self._is_closing:
                self._errors.append(error)
        finally:
            connection.close()


def response(*headers: str, status: str = "200 OK", body: bytes = b"") -> bytes:
    """The bytes of a response, with exactly these headers."""
    return "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers, "")).encode("latin-1") + body


def chunk(data: bytes) -> bytes:
    """A chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@contextmanager
def refusing_url() -> Iterator[str]:
    """A URL at which every connection is refused: the port is bound, but does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
