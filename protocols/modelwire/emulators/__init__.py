"""The other side of each wire, as pure as the protocols: what tests, demos and offline users talk to."""

from __future__ import annotations

from modelwire.emulators.arta import ArtaEmulator
from modelwire.emulators.cromicle import CromicleEmulator
from modelwire.emulators.emulator import (
    CLOCK_SKEW,
    DEFAULT_BEHAVIOUR,
    NONCE_LIFE,
    Behaviour,
    Chunk,
    Emulator,
    EmulatorRequest,
    EmulatorResponse,
)
from modelwire.emulators.fakegpt import FakeGptEmulator
from modelwire.emulators.hailuo import HailuoEmulator
from modelwire.emulators.magickpen import MagickPenEmulator

EMULATORS: dict[str, type[MagickPenEmulator | FakeGptEmulator | HailuoEmulator | CromicleEmulator | ArtaEmulator]] = {
    "magickpen": MagickPenEmulator,
    "fakegpt": FakeGptEmulator,
    "hailuo": HailuoEmulator,
    "cromicle": CromicleEmulator,
    "arta": ArtaEmulator,
}

__all__ = [
    "CLOCK_SKEW",
    "DEFAULT_BEHAVIOUR",
    "EMULATORS",
    "NONCE_LIFE",
    "ArtaEmulator",
    "Behaviour",
    "Chunk",
    "CromicleEmulator",
    "Emulator",
    "EmulatorRequest",
    "EmulatorResponse",
    "FakeGptEmulator",
    "HailuoEmulator",
    "MagickPenEmulator",
]
