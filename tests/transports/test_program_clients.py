"""The transports over client objects that a program has already: what they promise, and what they do not."""

from __future__ import annotations

import pytest

from contract import TransportContract
from transport_variants import CLIENT_VARIANTS, TransportVariant


@pytest.fixture(params=CLIENT_VARIANTS, ids=str)
def variant(request: pytest.FixtureRequest) -> TransportVariant:
    found: TransportVariant = request.param
    return found


class TestProgramClients(TransportContract):
    """The contract of every transport."""
