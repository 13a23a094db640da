"""Responses that break off: which one, after how many bytes, and how."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from hypothesis import strategies as st

from modelwire.testing.stage import Stage

BreakKind = Literal["connect", "timeout", "network", "protocol", "silence", "end", "cancel", "crash"]


class Break(NamedTuple):
    """The response to a request breaks off after `offset` bytes of its body; -1 is before its head.

    `skip` is the number of requests that come before it.
    """

    skip: int
    offset: int
    kind: BreakKind

    def play(self, stage: Stage) -> None:
        """Deliver regular events up to that place, then break off."""
        if not stage.reach(len(stage.requests) + self.skip):
            return
        if self.offset >= 0:
            stage.go_on()
            stage.go_on(self.offset % (len(stage.reach_server().body) + 1))
        match self.kind:
            case "silence":
                stage.time_out()
            case "end":
                stage.end_body_early()
            case "cancel":
                stage.cancel()
            case "crash":
                stage.crash()
            case failure:
                stage.fail(failure, arrives=True)


def breaks() -> st.SearchStrategy[Break]:
    """Breaks of any kind, at any byte of any of the next responses."""
    return st.builds(Break, st.integers(0, 4), st.integers(-1, 7000), st.sampled_from(get_args(BreakKind)))
