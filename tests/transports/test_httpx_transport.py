"""httpx and httpx2 as transports, blocking, on asyncio and on trio."""

from __future__ import annotations

import sys

import pytest

from contract import TransportContract
from contract.socks import Socks
from modelwire.errors import InvalidInput
from transport_variants import TransportVariant, variants_of


@pytest.fixture(params=variants_of("httpx", "httpx2"), ids=str)
def variant(request: pytest.FixtureRequest) -> TransportVariant:
    found: TransportVariant = request.param
    return found


class TestHttpx(TransportContract, Socks):
    """The contract of every transport, and the error if a library is missing."""

    @pytest.mark.parametrize("missing", ["{}", "httpcore{}"])
    async def test_a_missing_library_says_what_to_install(
        self, variant: TransportVariant, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        name = variant.name if missing == "{}" else missing.format(variant.name.removeprefix("httpx"))
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(
            InvalidInput, match=rf"{variant.name} is not installed: pip install 'modelwire\[{variant.name}\]'"
        ):
            variant.open()
