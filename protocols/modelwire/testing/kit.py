"""The kit that every flow must pass: seven properties, as the tests of a class that names a provider.

class TestMyChat(FlowKit):
    provider = PROVIDER
    emulator = MyEmulator
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from itertools import product
from typing import Any, ClassVar, Protocol, cast

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from modelwire.emulators.emulator import Emulator
from modelwire.errors import InvalidInput
from modelwire.flow import Flow
from modelwire.json import JsonObject
from modelwire.limits import DEFAULT_LIMITS, Limits
from modelwire.provider import Provider

from .comparison import check_replay, check_same
from .faults.breaks import Break, breaks
from .faults.burdens import PIECE, WHOLE, check_bounds, check_time
from .faults.echoes import Echo, echoes
from .faults.hostile import LINES, TIGHT, TYPES, UNITS, Bad, Repeated, Valued, bad_answers, places_of
from .faults.inputs import CredentialsInput, given_instead
from .faults.moves import ANY_TIME, CRASHING, FAULTS, INSTEAD, WILD, Move, make, some
from .machine import Sessions
from .rehearsal import Scene, State, rehearse
from .secrecy import SECRET_NAMES, check_secrecy
from .stage import MOST_STEPS, Stage, Subject
from .wire import Answer, place_of

# Events that are as they should be, before anything else happens.
BEGUN = st.integers(0, 24)
NUMBERS = st.integers(0, 8)
CUTS = st.lists(st.integers(0, 7000), max_size=6)
LIMITS = st.sampled_from([DEFAULT_LIMITS, TIGHT])


def for_all(**strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Hypothesis' `given`, with the profile that is in force, but for deadlines: a machine may be busy."""
    return lambda check: settings(deadline=None)(given(**strategies)(check))


class MakeEmulator(Protocol):
    """Makes the other side of a provider's wire: a class, or a function."""

    def __call__(self) -> Emulator:
        """One that nobody has asked anything yet."""
        ...


class FlowKit:
    """Seven properties of every flow, each a test or several.

    `provider` is what is tested. `emulator` makes its other side: a service that knows nobody yet, that
    `copy.deepcopy` can copy, and that answers the same to the same. `credentials` are what a user has to bring,
    `options` and `prompt` what is asked for. `secret_names` says which headers and fields of the wire, by their
    names, hold secrets.
    """

    provider: ClassVar[Provider]
    emulator: ClassVar[MakeEmulator]
    credentials: ClassVar[msgspec.Struct | None] = None
    options: ClassVar[msgspec.Struct | None] = None
    prompt: ClassVar[str] = "Hello"
    secret_names: ClassVar[re.Pattern[str]] = SECRET_NAMES

    @classmethod
    def make_flow(cls, **given: object) -> Flow:
        """The flow with `limits` and `credentials`; what else is `given` comes in the place of what the class says."""
        return cast("Callable[..., Flow]", cls.provider.flow)(**(cls._usual() | given))

    @classmethod
    def _usual(cls) -> dict[str, msgspec.Struct | str]:
        """What a user gives, but for credentials."""
        return {
            "messages" if cls.provider.kind == "chat" else "prompt": cls.prompt,
            "options": cls.provider.options() if cls.options is None else cls.options,
            "endpoints": cls.provider.endpoints(),
        }

    @classmethod
    @cache
    def scenes(cls) -> Sequence[Scene]:
        """What sessions begin with, and what comes of it as long as nothing goes wrong."""
        return rehearse(cls._subject())

    @classmethod
    def _subject(cls, **given: object) -> Subject:
        def make_flow(credentials: JsonObject | None, limits: Limits) -> Flow:
            return cls.make_flow(**{"credentials": credentials, "limits": limits, **given})

        credentials = None if cls.credentials is None else msgspec.to_builtins(cls.credentials)
        return Subject(make_flow, cls.emulator, credentials)

    @property
    def _scene(self) -> st.SearchStrategy[Scene]:
        return st.sampled_from(self.scenes())

    # 1. Chunking: any split of any body gives the same outputs.

    def test_chunking(self) -> None:
        """An answer, good or bad, comes to the same in whatever pieces it comes."""

        @for_all(scene=self._scene, number=NUMBERS, bad=bad_answers(), limits=LIMITS, cuts=CUTS)
        def check(scene: Scene, number: int, bad: Bad, limits: Limits, cuts: list[int]) -> None:
            whole = misplay(scene, limits, number, bad)
            cut = misplay(scene, limits, number, bad, cuts)
            check_same(cut.session.items, whole.session.items)

        check()

    def test_chunking_into_single_bytes(self) -> None:
        """A good answer comes to the same byte by byte."""
        for scene in self.scenes():
            stage = scene.stage()
            while not stage.is_over:
                stage.go_on(1)
            check_same(stage.session.items, scene.items)

    def test_chunking_of_what_comes_after_the_end(self) -> None:
        """An answer that comes twice comes to the same byte by byte."""
        for scene, number in self._answers():
            size = 2 * len(scene.answers[number].body)
            whole, cut = (misplay(scene, DEFAULT_LIMITS, number, Bad(Repeated(2)), cuts) for cuts in ((), range(size)))
            check_same(cut.session.items, whole.session.items)

    # 2. Contract: no exception, at most one wait a batch and that the last, nothing after the end.

    def test_contract(self) -> None:
        """Whatever happens, in whatever order."""

        @for_all(scene=self._scene, begun=BEGUN, moves=some(WILD), limits=LIMITS)
        def check(scene: Scene, begun: int, moves: list[Move], limits: Limits) -> None:
            make([*[Stage.go_halfway] * begun, *moves, Stage.cancel], scene.stage(limits))

        check()

    def test_contract_in_every_state(self) -> None:
        """Whatever happens in whatever state."""
        for scene, state in self._states():
            for moves in [*ANY_TIME, *(INSTEAD if state.is_before_head else [])]:
                stage = scene.stage(tape=scene.answers)
                make([*[Stage.go_halfway] * state.events, *moves, Stage.cancel], stage)

    def test_contract_ignores_what_is_stale(self) -> None:
        """What comes of requests that are over changes nothing, in no state."""
        for scene in self.scenes():
            stage = scene.stage()
            while not stage.is_over:
                make([Stage.stale, Stage.go_halfway, Stage.stale], stage)
            check_same(stage.session.items, scene.items)

    # 3. Determinism: the same events at the same times, and the same entropy, give the same commands.

    def test_determinism(self) -> None:
        """A session can be played again."""

        @for_all(scene=self._scene, begun=BEGUN, moves=some(WILD))
        def check(scene: Scene, begun: int, moves: list[Move]) -> None:
            for session in make([*[Stage.go_halfway] * begun, *moves], scene.stage()).sessions:
                check_replay(session)

        check()

    # 4. Resume: cut anywhere, through JSON, and go on: the same end, and nothing paid for twice.

    def test_resume(self) -> None:
        """Through any number of ends of the process."""

        @for_all(scene=self._scene, begun=BEGUN, moves=some(CRASHING))
        def check(scene: Scene, begun: int, moves: list[Move]) -> None:
            stage = make([*[Stage.go_halfway] * begun, *moves, Stage.finish], scene.stage())
            stage.check_outcome(scene.outcome)

        check()

    def test_resume_at_every_step(self) -> None:
        """Through two ends of the process: after each event, and at once again or a little later."""
        for scene in self.scenes():
            for count, later in product(range(scene.events + 1), (0, 5)):
                stage = scene.stage()
                make([*[Stage.go_halfway] * count, Stage.crash, *[Stage.go_halfway] * later, Stage.crash], stage)
                stage.finish()
                stage.check_outcome(scene.outcome)

    def test_resume_after_every_fault(self) -> None:
        """Through the end of a process in which something has gone wrong, whatever and whenever."""
        for scene, state in self._states():
            for fault in FAULTS:
                stage = scene.stage()
                make([*[Stage.go_halfway] * state.events, fault, Stage.crash, Stage.finish], stage)
                stage.check_outcome(scene.outcome)

    # 5. Truncation: the connection breaks at any byte: no text twice, exactly one end.

    def test_truncation(self) -> None:
        """At any bytes of any answers, in whatever way."""

        @for_all(scene=self._scene, breaks=st.lists(breaks(), min_size=1, max_size=3))
        def check(scene: Scene, breaks: list[Break]) -> None:
            stage = scene.stage()
            for one in breaks:
                one.play(stage)
            stage.finish()
            stage.check_outcome(scene.outcome)

        check()

    def test_truncation_at_every_byte(self) -> None:
        """At each byte of each answer, after which all goes well."""
        for scene, number in self._answers():
            answer = scene.answers[number]
            for place in range(-1, len(answer.body) + 1):
                # What has said no has said it once, however little came of it.
                again = [] if place >= 0 and answer.status >= 300 else [answer]
                tape = [*scene.answers[: number + 1], *again, *scene.answers[number + 1 :]]
                stage = scene.stage(tape=tape)
                Break(number, place, "network").play(stage)
                stage.finish()
                stage.check_outcome(scene.outcome)

    # 6. Hostile: wrong types, deep nesting, huge numbers, lone surrogates, no end: a named failure, bounded memory,
    # linear time.

    def test_hostile(self) -> None:
        """An answer that is none ends in a failure, if in anything."""

        @for_all(scene=self._scene, number=NUMBERS, bad=bad_answers(), limits=LIMITS)
        def check(scene: Scene, number: int, bad: Bad, limits: Limits) -> None:
            misplay(scene, limits, number, bad)

        check()

    def test_hostile_values_of_every_type(self) -> None:
        """Each value in each answer may be anything."""
        for scene, number in self._answers():
            for place, name in product(places_of(scene.answers[number].body), TYPES):
                misplay(scene, DEFAULT_LIMITS, number, Bad(Valued(place, name)))

    def test_hostile_refusals_without_end(self) -> None:
        """What is refused each time is not asked for for ever."""
        for (scene, number), status in product(self._answers(), (302, 400, 401, 403, 404, 429, 500)):
            stage = scene.stage()
            for _ in range(MOST_STEPS):
                if stage.request is not None and place_of(stage.requests[-1]) == scene.places[number]:
                    stage.answer(Answer(status))
                else:
                    stage.go_on()
            assert stage.is_over, f"the flow does not end: it waits for {stage.session.wait!r}"

    def test_hostile_input(self) -> None:
        """What a user gives that cannot work is refused at once, or fails."""
        scene = self.scenes()[0]
        usual = self._usual() | ({} if self.credentials is None else {"credentials": self.credentials})

        @for_all(given=given_instead(usual))
        def check(given: CredentialsInput) -> None:
            subject = self._subject(**given.arguments(usual))
            try:
                stage = Stage(subject, scene.past, tape=scene.answers)
            except InvalidInput:
                return
            make([Stage.go_on, Stage.crash, Stage.finish], stage)

        check()

    def test_hostile_answers_without_end(self) -> None:
        """An answer that does not end is given up, and takes no more memory than its limits."""
        for scene, number in self._answers():
            for status, unit in product((200, 404), UNITS):
                check_bounds(scene, number, status, unit)

    def test_hostile_answers_take_linear_time(self) -> None:
        """A long answer takes as much longer as it is longer, whatever it is made of."""
        for scene, number in self._answers():
            for unit, piece in [*product(UNITS, (WHOLE,)), *product(LINES, (PIECE,))]:
                check_time(scene, number, unit, piece)

    # 7. Secrets: no token, cookie or signature in a repr, a message or a recording.

    def test_secrets(self) -> None:
        """Not even where the service says them again."""

        @for_all(scene=self._scene, number=NUMBERS, echo=echoes())
        def check(scene: Scene, number: int, echo: Echo) -> None:
            stage = scene.stage()
            stage.reach(number % len(scene.answers))
            echo.play(stage, self.secret_names)
            stage.finish()
            check_secrecy(stage, self.secret_names, recorded=True)

        check()

    def test_secrets_where_a_message_is_cut(self) -> None:
        """Not even the most of one."""
        for (scene, number), before in product(self._answers(), range(100, 200, 4)):
            stage = scene.stage(Limits(tries=1))
            stage.reach(number)
            Echo(0, 0, before, 400, "text").play(stage, self.secret_names)
            stage.finish()
            check_secrecy(stage, self.secret_names)

    # All of them.

    def test_sessions_full_of_faults(self) -> None:
        """Sessions in which anything may go wrong at any time, as hypothesis thinks of it."""
        machine = partial(Sessions, self.scenes(), partial(check_secrecy, names=self.secret_names))
        run_state_machine_as_test(cast("type[Sessions]", machine), settings=settings(deadline=None))

    def _states(self) -> Iterator[tuple[Scene, State]]:
        """Each state once, with the scene that leads to it."""
        return ((scene, state) for scene in self.scenes() for state in scene.states)

    def _answers(self) -> Iterable[tuple[Scene, int]]:
        """Each kind of answer once: the scene in which it comes soonest, and the number of its request there."""
        soonest: dict[object, tuple[Scene, int]] = {}
        for scene in self.scenes():
            for number, (place, answer) in enumerate(zip(scene.places, scene.answers, strict=True)):
                known = soonest.setdefault((place, answer.status), (scene, number))
                soonest[place, answer.status] = min(known, (scene, number), key=lambda it: it[1])
        return soonest.values()


def misplay(scene: Scene, limits: Limits, number: int, bad: Bad, cuts: Sequence[int] = ()) -> Stage:
    """A session in which the answer of this number is a bad one, and everything else is as it should be."""
    stage = scene.stage(limits)
    if stage.reach(number % len(scene.answers)):
        stage.answer(bad.instead_of(stage.arrive()), cuts, bad.broken)
    stage.finish()
    return stage
