"""Emulators of every service, for tests, demos and offline use. As pure as the protocols: no I/O, no clock."""

from __future__ import annotations

from .arta import ArtaEmulator
from .cromicle import CromicleEmulator
from .emulator import (
    CLOCK_SKEW,
    DEFAULT_BEHAVIOUR,
    NONCE_LIFE,
    Behaviour,
    Chunk,
    Emulator,
    EmulatorRequest,
    EmulatorResponse,
)
from .fakegpt import FakeGptEmulator
from .hailuo import HailuoEmulator
from .magickpen import MagickPenEmulator

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
