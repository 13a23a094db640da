"""What httpx, or httpx2, logs of our requests: the names of the steps, and nothing that was said in them.

httpcore logs, at level DEBUG, each header that comes and each byte that it cannot read. What it logs of other requests
in the same program is left as it is, and so is how anybody has set up logging.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Whether what the current thread or task does is one of our requests.
_is_ours: ContextVar[bool] = ContextVar("modelwire_is_ours", default=False)

# The loggers below that of httpcore, or httpcore2.
_LOGGERS = ("connection", "http11", "http2", "proxy", "socks")


class _NamesOfSteps(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Leave the first word of one of our records: `receive_response_headers.complete`."""
        if _is_ours.get():
            record.msg, record.args, record.exc_info = record.getMessage().partition(" ")[0], (), None
        return True


_NAMES_OF_STEPS = _NamesOfSteps()


def name_steps_alone(core: str) -> None:
    """Keep what is said in our requests out of the logs of httpcore, or httpcore2 (`core`)."""
    for name in _LOGGERS:
        # A filter that is there already is not added again.
        logging.getLogger(f"{core}.{name}").addFilter(_NAMES_OF_STEPS)


@contextmanager
def our_request() -> Iterator[None]:
    """What is logged inside is of one of our requests."""
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)
