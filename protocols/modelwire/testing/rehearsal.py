"""What is known of a provider from sessions in which nothing goes wrong: the scenes that faults are then put into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from modelwire.limits import DEFAULT_LIMITS, Limits

from .session import Item
from .stage import Outcome, Past, Place, Stage, Subject
from .wire import Answer, place_of

MINUTE, DAY = 60.0, 86_400.0
# A job is asked for again and again: so often is what is always the same state tried.
MOST_ALIKE = 2


class Before(NamedTuple):
    """How long ago the last session was (seconds), and whether the service remembers it."""

    since: float
    remembers: bool = True


# What may lie before a session: nothing, or for a flow that keeps something from one session to the next, one of these.
FIRST = "first"
LATER = {
    "again": Before(1.0),
    "40 minutes later": Before(40 * MINUTE),
    "30 days later": Before(30 * DAY),
    "forgotten": Before(1.0, remembers=False),
}


class State(NamedTuple):
    """One that a flow can be in: after so many events, and whether it waits for an answer to begin."""

    events: int
    is_before_head: bool


class Scene(NamedTuple):
    """A beginning, and what comes of it as long as nothing goes wrong.

    It takes so many `events`; `states` are those on the way that no scene before went through.
    """

    name: str
    subject: Subject
    past: Past
    paid_for: frozenset[Place]
    outcome: Outcome
    places: Sequence[Place]
    answers: Sequence[Answer]
    items: Sequence[Item]
    events: int
    states: Sequence[State]

    def __repr__(self) -> str:
        return f"<scene: {self.name}>"

    def stage(self, limits: Limits = DEFAULT_LIMITS, tape: Sequence[Answer] = ()) -> Stage:
        """A stage on which it begins; answers come from `tape` first, then from the emulator."""
        return Stage(self.subject, self.past, limits=limits, paid_for=self.paid_for, tape=tape)


def rehearse(subject: Subject) -> list[Scene]:
    """Every scene there is. Raises `AssertionError` where the first does not end well."""
    first = Past(subject.make_emulator(), subject.credentials)
    stage = Stage(subject, first)
    stage.finish()
    failure = stage.session.failure
    assert failure is None, f"nothing went wrong between flow and emulator, and yet: {failure}"
    pasts = {FIRST: first}
    if stage.credentials != subject.credentials:
        for name, before in LATER.items():
            emulator = stage.emulator if before.remembers else subject.make_emulator()
            pasts[name] = Past(emulator, stage.credentials, stage.now + before.since, sessions=1)
    paid_for = frozenset(stage.submits)
    seen: list[object] = []
    return [_play(name, subject, past, paid_for, seen) for name, past in pasts.items()]


def _play(name: str, subject: Subject, past: Past, paid_for: frozenset[Place], seen: list[object]) -> Scene:
    stage = Stage(subject, past)
    states = list(_new_states(stage, seen))
    return Scene(
        name,
        subject,
        past,
        paid_for,
        outcome=stage.outcome,
        places=[place_of(request) for request in stage.requests],
        answers=stage.answers,
        items=list(stage.session.items),
        events=len(stage.session.steps),
        states=states,
    )


def _new_states(stage: Stage, seen: list[object]) -> Iterator[State]:
    """Play to the end, and say where there was something that has not been seen."""
    while not stage.is_over:
        asked = [place_of(request) for request in stage.requests[-1:]]
        state = (type(stage.session.wait), stage.has_head, stage.has_body, asked)
        if seen.count(state) < MOST_ALIKE:
            yield State(len(stage.session.steps), stage.request is not None and not stage.has_head)
        seen.append(state)
        stage.go_halfway()
    yield State(len(stage.session.steps), is_before_head=False)
