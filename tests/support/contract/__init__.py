"""The tests that every transport passes, against a server of raw bytes: one class a topic, and `TransportContract`.

A test module subclasses `TransportContract` and gives it a fixture `variant`. It tests itself what its transport does
beyond that. The table in `transport_promises` has what some transports cannot promise, and what they do instead.
"""

from __future__ import annotations

from .addresses import Addresses
from .cancellation import Cancelling, Leaving
from .codings import Codings
from .connections import Connections
from .deadlines import Deadlines
from .failures import Failures
from .proxies import Proxies
from .receiving import Receiving
from .sending import Sending
from .tls import Tls

__all__ = ["TransportContract"]


class TransportContract(
    Sending, Receiving, Codings, Connections, Deadlines, Failures, Leaving, Cancelling, Addresses, Tls, Proxies
):
    """Every topic but SOCKS proxies, which some transports do not support."""
