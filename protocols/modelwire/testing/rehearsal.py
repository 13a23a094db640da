"""Sessions of a provider without faults: the scenes that the kit then disturbs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from modelwire.limits import DEFAULT_LIMITS, Limits

from .stage import Operation, Outcome, Past, Stage, Subject
from .watched_flow import Item
from .wire import ScriptedResponse, operation_of

MINUTE, DAY = 60.0, 86_400.0
# Times: how often one state is tested. A job is polled many times, always in the same state.
MAX_SAME_STATES = 2


class EarlierSession(NamedTuple):
    """How many seconds ago the last session was, and whether the service remembers it."""

    seconds_ago: float
    is_remembered: bool = True


# Each scene by name. The later ones are for a flow with credentials that one session stores for the next.
FIRST = "first"
LATER_SESSIONS = {
    "again": EarlierSession(1.0),
    "40 minutes later": EarlierSession(40 * MINUTE),
    "30 days later": EarlierSession(30 * DAY),
    "forgotten": EarlierSession(1.0, is_remembered=False),
}


class State(NamedTuple):
    """A state of a flow, reached after this number of events. `is_before_head`: it waits for a response to begin."""

    events: int
    is_before_head: bool


class Scene(NamedTuple):
    """A starting point, and the session that follows from it without faults.

    `outcome`, `operations` (of the requests), `responses`, `items` and `events` (their number) describe that session.
    `states` are the states on its way that earlier scenes did not reach.
    """

    name: str
    subject: Subject
    past: Past
    paid_operations: frozenset[Operation]
    outcome: Outcome
    operations: Sequence[Operation]
    responses: Sequence[ScriptedResponse]
    items: Sequence[Item]
    events: int
    states: Sequence[State]

    def __repr__(self) -> str:
        return f"<scene: {self.name}>"

    def stage(self, limits: Limits = DEFAULT_LIMITS, scripted: Sequence[ScriptedResponse] = ()) -> Stage:
        """A stage at the scene's starting point. Responses come from `scripted` first, then from the emulator."""
        return Stage(self.subject, self.past, limits=limits, paid_operations=self.paid_operations, scripted=scripted)


def rehearse(subject: Subject) -> list[Scene]:
    """Play every scene without faults. Raises `AssertionError` if the first one ends in a failure."""
    first = Past(subject.make_emulator(), subject.credentials)
    stage = Stage(subject, first)
    stage.finish()
    failure = stage.watched.failure
    assert failure is None, (
        f"the flow failed against its emulator, although the kit had not disturbed anything yet: {failure}"
    )
    pasts = {FIRST: first}
    if stage.credentials != subject.credentials:
        for name, earlier in LATER_SESSIONS.items():
            emulator = stage.emulator if earlier.is_remembered else subject.make_emulator()
            pasts[name] = Past(emulator, stage.credentials, stage.now + earlier.seconds_ago, sessions=1)
    paid_operations = frozenset(stage.job_operations)
    seen: list[object] = []
    return [_play(name, subject, past, paid_operations, seen) for name, past in pasts.items()]


def _play(name: str, subject: Subject, past: Past, paid_operations: frozenset[Operation], seen: list[object]) -> Scene:
    stage = Stage(subject, past)
    states = list(_new_states(stage, seen))
    return Scene(
        name,
        subject,
        past,
        paid_operations,
        outcome=stage.outcome,
        operations=[operation_of(request) for request in stage.requests],
        responses=stage.responses,
        items=list(stage.watched.items),
        events=len(stage.watched.calls),
        states=states,
    )


def _new_states(stage: Stage, seen: list[object]) -> Iterator[State]:
    """Play to the end, and yield each state that was not in `seen` often enough."""
    while not stage.is_over:
        last_operation = [operation_of(request) for request in stage.requests[-1:]]
        state = (type(stage.watched.wait), stage.has_head, stage.has_body, last_operation)
        if seen.count(state) < MAX_SAME_STATES:
            yield State(len(stage.watched.calls), stage.request is not None and not stage.has_head)
        seen.append(state)
        stage.go_on_in_halves()
    yield State(len(stage.watched.calls), is_before_head=False)
