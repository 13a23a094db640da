"""What every transport does, whatever it is made of: the tests of `contract`, topic by topic, in one class.

A test module subclasses it and gives it a fixture `carrier`. What a transport does beyond that, the module tests
itself; what it cannot promise is in the table of `transports_under_test`.
"""

from __future__ import annotations

from contract.addresses import Addresses
from contract.cancellation import Cancelling, Leaving
from contract.codings import Codings
from contract.connections import Connections
from contract.deadlines import Deadlines
from contract.failures import Failures
from contract.proxies import Proxies
from contract.receiving import Receiving
from contract.sending import Sending
from contract.tls import Tls


class TransportContract(
    Sending, Receiving, Codings, Connections, Deadlines, Failures, Leaving, Cancelling, Addresses, Tls, Proxies
):
    """All of it, but for SOCKS proxies, which not every transport has."""
