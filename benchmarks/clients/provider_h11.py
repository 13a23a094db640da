"""modelwire's providers over plain sockets."""

from __future__ import annotations

from modelwire_io.transports import H11Transport

from .provider_modelwire import over_blocking

run = over_blocking(H11Transport)
