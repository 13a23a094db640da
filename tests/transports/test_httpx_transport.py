"""httpx and httpx2 as transports, blocking, on asyncio and on trio."""

from __future__ import annotations

import os
import ssl
import sys
from functools import cache

import httpx
import httpx2
import pytest

from contract.socks import Socks
from modelwire.errors import InvalidInput
from transport_contract import TransportContract
from transports_under_test import Carrier, carriers_of

_LIBRARIES = {"httpx": httpx, "httpx2": httpx2}
_MAKE_TRUST = {name: library.create_ssl_context for name, library in _LIBRARIES.items()}


@pytest.fixture(params=carriers_of("httpx", "httpx2"), ids=str)
def carrier(request: pytest.FixtureRequest) -> Carrier:
    found: Carrier = request.param
    return found


@cache
def trust(library: str, certificate: str | None) -> ssl.SSLContext:
    """What a transport trusts, read once for all tests: it takes longer than most of them."""
    context: ssl.SSLContext = _MAKE_TRUST[library](trust_env=True)
    return context


class TestHttpx(TransportContract, Socks):
    """What every transport does, and what this one does beyond that."""

    @pytest.fixture(autouse=True)
    def remembered_trust(self, carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
        def remember(*, trust_env: bool) -> ssl.SSLContext:
            assert trust_env
            return trust(carrier.name, os.environ.get("SSL_CERT_FILE"))

        # Read before the test begins: on a busy machine it would take much of a short deadline.
        remember(trust_env=True)
        monkeypatch.setattr(_LIBRARIES[carrier.name], "create_ssl_context", remember)

    @pytest.mark.parametrize("missing", ["{}", "httpcore{}"])
    async def test_a_missing_library_says_what_to_install(
        self, carrier: Carrier, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        name = carrier.name if missing == "{}" else missing.format(carrier.name.removeprefix("httpx"))
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(
            InvalidInput, match=rf"{carrier.name} is not installed: pip install 'modelwire\[{carrier.name}\]'"
        ):
            carrier.open()
