"""A recording as a regression test."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from modelwire.flow import Flow
from modelwire.recording.replay import Replay


def assert_replays(
    recording: str | os.PathLike[str] | Iterable[str],
    *,
    flow: type[Flow] | None = None,
    rechunk: int | None = None,
) -> None:
    """Replay a recording (the path of a file, or its lines). Raises `AssertionError` if the flow now acts differently.

    def test_the_session_is_unchanged() -> None:
        assert_replays("tests/recordings/session.jsonl")

    `flow` is the class of a flow that is not in the catalog. `rechunk` is a seed: with it, bodies are cut at other
    places, the same ones for the same seed. Raises `RecordingError` if the recording cannot be replayed.
    """
    if isinstance(recording, str | os.PathLike):
        recording = Path(recording).read_text(encoding="utf-8")
    difference = Replay(recording, flow=flow, rechunk=rechunk).first_difference()
    assert difference is None, f"the flow does not do what was recorded\n{difference}"
