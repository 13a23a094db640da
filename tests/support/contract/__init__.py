"""What every transport does, whatever it is made of, against a server of raw bytes: a class of tests for each topic.

Where a transport cannot keep a promise, the table in `transports_under_test` says so, and the test says what it does.
"""

from __future__ import annotations

import pytest

_TOPICS = ("base", "sending", "receiving", "codings", "connections", "deadlines", "failures", "leaving", "addresses")

pytest.register_assert_rewrite(*(f"{__name__}.{topic}" for topic in (*_TOPICS, "tls", "proxies", "socks")))
