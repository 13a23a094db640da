"""A chat request to OpenAI's API."""

from __future__ import annotations

import json

MESSAGES = [{"role": "user", "content": "Say something."}]


def body(model: str) -> bytes:
    """The request's JSON."""
    return json.dumps({"model": model, "messages": MESSAGES, "stream": True}).encode()
