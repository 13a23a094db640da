from __future__ import annotations

from modelwire.emulators.parts.responses import MAX_MESSAGE_CHARS, error_response


def test_a_long_error_message_is_shortened() -> None:
    (chunk,) = error_response(400, "x" * 1000).chunks
    assert len(chunk.data) < MAX_MESSAGE_CHARS + 40
