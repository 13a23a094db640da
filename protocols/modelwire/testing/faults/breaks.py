"""Connections that break: in which answer, after how many bytes, and how."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from hypothesis import strategies as st

from modelwire.testing.stage import Stage

How = Literal["connect", "timeout", "network", "protocol", "silence", "end", "cancel", "crash"]


class Break(NamedTuple):
    """The answer to a later request breaks off: `place` is bytes of its body, or -1 before its head."""

    later: int
    place: int
    how: How

    def play(self, stage: Stage) -> None:
        """Let everything go as it should up to there, and then no more."""
        if not stage.reach(len(stage.requests) + self.later):
            return
        if self.place >= 0:
            stage.go_on()
            stage.go_on(self.place % (len(stage.arrive().body) + 1))
        match self.how:
            case "silence":
                stage.oversleep()
            case "end":
                stage.cut_short()
            case "cancel":
                stage.cancel()
            case "crash":
                stage.crash()
            case kind:
                stage.fail(kind, arrives=True)


def breaks() -> st.SearchStrategy[Break]:
    """Any way to break, at any place in any of the answers that follow."""
    return st.builds(Break, st.integers(0, 4), st.integers(-1, 7000), st.sampled_from(get_args(How)))
