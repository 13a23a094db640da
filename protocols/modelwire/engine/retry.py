"""Whether and when to retry a failed request, as a pure function."""

from __future__ import annotations

from modelwire.errors import FailureKind
from modelwire.limits import Limits

# Seconds: the first pause is up to half a second, each next one up to twice as long, and none longer than thirty.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# Seconds: some providers sign a timestamp in milliseconds, and a retry must not repeat it.
SHORTEST_PAUSE = 0.01

# Client-error statuses that mean "not now".
_TEMPORARY_STATUSES = frozenset({408, 425, 429})
_TEMPORARY_KINDS: frozenset[FailureKind] = frozenset({"connect", "timeout", "network", "truncated"})


def is_temporary(kind: FailureKind, status: int | None) -> bool:
    """True if the same request may succeed a little later."""
    if status is not None and (status >= 400):
        return status in _TEMPORARY_STATUSES or status >= 500
    return kind in _TEMPORARY_KINDS


def retry_pause(
    *,
    tries: int,
    kind: FailureKind,
    status: int | None,
    retry_after: float | None,
    repeatable: bool,
    remaining: float,
    jitter: float,
    limits: Limits,
) -> float | None:
    """Seconds to pause before the next attempt, or None if there must not be one.

    `tries` is the number of attempts so far, `remaining` the seconds left of the flow's time, `jitter` is drawn from
    [0, 1). A server's Retry-After is obeyed up to `limits.retry_after`; beyond it, or past the end of the flow's time,
    waiting would only delay the failure. The pause is full-jitter exponential backoff
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). After the first connection that broke
    it is the shortest one: most often the server had closed a pooled connection just before it was used.
    """
    if tries >= limits.tries or not is_temporary(kind, status):
        return None
    if not repeatable and kind != "connect":
        return None
    pause = jitter * min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 10))
    if tries == 1 and kind == "network":
        pause = 0.0
    pause = max(pause, SHORTEST_PAUSE)
    if retry_after is not None:
        if retry_after > limits.retry_after:
            return None
        pause += retry_after
    return pause if pause < remaining else None
