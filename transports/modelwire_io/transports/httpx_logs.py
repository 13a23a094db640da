"""Hides the details of our requests in the logs of httpx and httpcore, and of httpx2 and httpcore2.

httpx logs each URL, and httpcore each header, both of which may hold secrets. Records of other requests in the same
program are not changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# True while the current thread or task works on one of our requests.
_is_ours: ContextVar[bool] = ContextVar("modelwire_is_ours", default=False)

_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}
# httpcore's own loggers, below the one with its name.
_CORE_LOGGERS = ("connection", "http11", "http2", "proxy", "socks")


class _NameOnly(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Leave the first word of one of our records, such as `receive_response_headers.complete`."""
        if _is_ours.get():
            record.msg, record.args, record.exc_info = record.getMessage().partition(" ")[0], (), None
        return True


_NAME_ONLY = _NameOnly()


def install_log_filter(library: str) -> None:
    """Filter the loggers of httpx or httpx2 (`library`). Doing it again changes nothing."""
    for name in (library, *(f"{_CORES[library]}.{logger}" for logger in _CORE_LOGGERS)):
        logging.getLogger(name).addFilter(_NAME_ONLY)


@contextmanager
def hide_details() -> Iterator[None]:
    """Everything logged inside belongs to one of our requests."""
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)
