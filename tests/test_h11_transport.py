"""h11 as a transport, blocking, on asyncio and on trio."""

from __future__ import annotations

import pytest

from transport_contract import TransportContract
from transports_under_test import Carrier


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def carrier(request: pytest.FixtureRequest) -> Carrier:
    return Carrier("h11", request.param)


class TestH11(TransportContract):
    """What every transport does."""
