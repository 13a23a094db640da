"""Sessions as files: `Recorder` writes one, `Replay` plays it back and finds the first difference."""

from __future__ import annotations

from .difference import Difference
from .format import Recording, parse_recording
from .recorder import Recorder
from .replay import Replay

__all__ = ["Difference", "Recorder", "Recording", "Replay", "parse_recording"]
