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
    """Play a recording (the path of a file, or its lines) back, and fail where the flow does something else now.

    def test_that_the_session_is_what_it_was() -> None:
        assert_replays("tests/recordings/session.jsonl")

    `flow` is the class of a flow that is not in the catalog. With `rechunk`, a number, bodies are cut anew at
    random, the same for the same number. Raises `RecordingError` for a recording that cannot be played.
    """
    if isinstance(recording, str | os.PathLike):
        recording = Path(recording).read_text(encoding="utf-8")
    difference = Replay(recording, flow=flow, rechunk=rechunk).first_difference()
    assert difference is None, f"the flow does something else than was recorded\n{difference}"
