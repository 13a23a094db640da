"""Sessions of a flow with its emulator, in which hypothesis looks for a harmful combination of faults."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from modelwire.events import RequestFailureKind

from .rehearsal import Scene
from .stage import Stage

_scenes = st.runner().flatmap(lambda machine: st.sampled_from(machine.scenes))
_kinds = st.sampled_from(["connect", "timeout", "network", "protocol"])
_retry_after = st.sampled_from([None, "0", "1", "60", "Tue, 14 Nov 2023 22:13:27 GMT", "100000", "soon"])


class FaultySessions(RuleBasedStateMachine):
    """Sessions one after the other, each on a stage of its own that begins as one of the scenes.

    `check` is called with each stage at its end.
    """

    def __init__(self, scenes: Sequence[Scene], check: Callable[[Stage], None]) -> None:
        super().__init__()
        self.scenes = scenes
        self._check = check
        self._scene, self._stage = scenes[0], scenes[0].stage()

    @initialize(scene=_scenes)
    def begin(self, scene: Scene) -> None:
        self._scene = scene
        self._stage = scene.stage()

    @precondition(lambda self: self._stage.is_over)
    @rule(scene=_scenes)
    def begin_another(self, scene: Scene) -> None:
        self._end()
        self.begin(scene)

    def _end(self) -> None:
        self._stage.finish()
        self._stage.check_outcome(self._scene.outcome)
        self._check(self._stage)

    def teardown(self) -> None:
        # Do not hide an error that has been raised already.
        if sys.exception() is None:
            self._end()

    @rule()
    def go_on(self) -> None:
        self._stage.go_on()

    @rule(most=st.integers(0, 700))
    def go_on_a_little(self, most: int) -> None:
        self._stage.go_on(most)

    @rule(kind=_kinds, arrives=st.booleans())
    def fail(self, kind: RequestFailureKind, arrives: bool) -> None:
        self._stage.fail(kind, arrives)

    @rule(status=st.sampled_from([302, 400, 401, 403, 404, 408, 429, 500, 503]), retry_after=_retry_after)
    def refuse(self, status: int, retry_after: str | None) -> None:
        self._stage.refuse(status, retry_after)

    @rule(status=st.sampled_from([500, 503]), retry_after=_retry_after)
    def refuse_although_carried_out(self, status: int, retry_after: str | None) -> None:
        self._stage.refuse(status, retry_after, arrives=True)

    @rule()
    def deliver_stale(self) -> None:
        self._stage.deliver_stale()

    @rule()
    def wake(self) -> None:
        self._stage.wake()

    @rule(seconds=st.sampled_from([0.0, 0.5, 700.0]))
    def time_out(self, seconds: float) -> None:
        self._stage.time_out(seconds)

    @rule(seconds=st.sampled_from([0.5, 5.0, 130.0, 4000.0, -50.0]))
    def pass_time(self, seconds: float) -> None:
        self._stage.pass_time(seconds)

    @rule()
    def crash(self) -> None:
        self._stage.crash()

    @rule()
    def reset_service(self) -> None:
        self._stage.reset_service()

    @rule()
    def cancel(self) -> None:
        self._stage.cancel()
