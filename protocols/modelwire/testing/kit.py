"""Tests that every flow must pass: seven properties. Subclass `FlowKit` and name the provider.

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
from modelwire.provider import Kind, NoOptions, Provider, options_type

from .comparison import check_replay, check_same
from .faults.breaks import Break, breaks
from .faults.burdens import ONE_CHUNK, SMALL_CHUNK, check_bounds, check_time
from .faults.echoes import Echo, echoes
from .faults.hostile import (
    LINES,
    TIGHT_LIMITS,
    TYPES,
    UNITS,
    BadResponse,
    RepeatedBody,
    ReplacedValue,
    bad_responses,
    places_of,
)
from .faults.inputs import FieldInput, field_inputs
from .faults.moves import ANY_TIME, ANYTHING, BEFORE_HEAD, FAULTS, WITH_CRASHES, StageMove, lists_of, play_moves
from .machine import FaultySessions
from .rehearsal import Scene, State, rehearse
from .secrecy import SECRET_NAMES, check_secrecy
from .stage import MAX_EVENTS, Stage, Subject
from .wire import ScriptedResponse, operation_of

# Number of regular events before the first fault.
EVENTS_BEFORE = st.integers(0, 24)
REQUEST_NUMBERS = st.integers(0, 8)
CUTS = st.lists(st.integers(0, 7000), max_size=6)
LIMITS = st.sampled_from([DEFAULT_LIMITS, TIGHT_LIMITS])


def for_all(**strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[[], None]]:
    """Hypothesis' `given` in the active profile, but without a deadline: the machine may be busy."""
    return lambda check: settings(deadline=None)(given(**strategies)(check))


class EmulatorFactory(Protocol):
    """A class or a function that makes a provider's emulator."""

    def __call__(self) -> Emulator:
        """A new emulator, which has received no request yet."""
        ...


class FlowKit:
    """Tests of the seven properties that every flow must have. Subclass it in a test module.

    `provider` is the provider under test; if it has two kinds of flows, `kind` chooses one. `emulator` makes its
    emulator: `copy.deepcopy` must be able to copy it, and it must give equal responses to equal requests.
    `credentials` are those that a user must supply. `options` and `prompt` are passed to the flow. `secret_names`
    matches the names of the headers, form fields and JSON members that hold secrets.
    """

    provider: ClassVar[Provider]
    emulator: ClassVar[EmulatorFactory]
    kind: ClassVar[Kind | None] = None
    credentials: ClassVar[msgspec.Struct | None] = None
    options: ClassVar[msgspec.Struct | None] = None
    prompt: ClassVar[str] = "Hello"
    secret_names: ClassVar[re.Pattern[str]] = SECRET_NAMES

    @classmethod
    def flow_kind(cls) -> Kind:
        """The kind of the flow under test: `kind`, or the provider's first one."""
        return next(iter(cls.provider.flows)) if cls.kind is None else cls.kind

    @classmethod
    def make_flow(cls, **arguments: object) -> Flow:
        """The flow under test. `arguments` (`limits`, `credentials`, ...) override those that the class declares."""
        return cast("Callable[..., Flow]", cls.provider.flows[cls.flow_kind()])(**(cls._arguments() | arguments))

    @classmethod
    def _arguments(cls) -> dict[str, msgspec.Struct | str]:
        """The flow's usual arguments, without credentials."""
        kind = cls.flow_kind()
        arguments: dict[str, msgspec.Struct | str] = {
            "messages" if kind == "chat" else "prompt": cls.prompt,
            "endpoints": cls.provider.endpoints,
        }
        options = options_type(cls.provider.flows[kind])
        if options is not NoOptions:
            arguments["options"] = options() if cls.options is None else cls.options
        return arguments

    @classmethod
    @cache
    def scenes(cls) -> Sequence[Scene]:
        """The starting points of the tests, each with the session that follows from it without faults."""
        return rehearse(cls._subject())

    @classmethod
    def _subject(cls, **arguments: object) -> Subject:
        def make_flow(credentials: JsonObject | None, limits: Limits) -> Flow:
            return cls.make_flow(**{"credentials": credentials, "limits": limits, **arguments})

        credentials = None if cls.credentials is None else msgspec.to_builtins(cls.credentials)
        return Subject(make_flow, cls.emulator, credentials)

    @property
    def _scene(self) -> st.SearchStrategy[Scene]:
        return st.sampled_from(self.scenes())

    # 1. Chunking: any split of any body gives the same outputs.

    def test_chunking(self) -> None:
        """A response, good or bad, gives the same outputs however it is cut."""

        @for_all(scene=self._scene, number=REQUEST_NUMBERS, bad=bad_responses(), limits=LIMITS, cuts=CUTS)
        def check(scene: Scene, number: int, bad: BadResponse, limits: Limits, cuts: list[int]) -> None:
            whole = play_with(scene, limits, number, bad)
            cut = play_with(scene, limits, number, bad, cuts)
            check_same(cut.watched.items, whole.watched.items)

        check()

    def test_chunking_into_single_bytes(self) -> None:
        """A good response gives the same outputs if it arrives byte by byte."""
        for scene in self.scenes():
            stage = scene.stage()
            while not stage.is_over:
                stage.go_on(1)
            check_same(stage.watched.items, scene.items)

    def test_chunking_of_bytes_after_the_end(self) -> None:
        """A body that is sent twice gives the same outputs if it arrives byte by byte."""
        for scene, number in self._each_response():
            size = 2 * len(scene.responses[number].body)
            whole, cut = (
                play_with(scene, DEFAULT_LIMITS, number, BadResponse(RepeatedBody(2)), cuts)
                for cuts in ((), range(size))
            )
            check_same(cut.watched.items, whole.watched.items)

    # 2. Contract: no exception, at most one wait a batch and that the last, nothing after the end.

    def test_contract(self) -> None:
        """Any events, in any order."""

        @for_all(scene=self._scene, events_before=EVENTS_BEFORE, moves=lists_of(ANYTHING), limits=LIMITS)
        def check(scene: Scene, events_before: int, moves: list[StageMove], limits: Limits) -> None:
            play_moves([*[Stage.go_on_in_halves] * events_before, *moves, Stage.cancel], scene.stage(limits))

        check()

    def test_contract_in_every_state(self) -> None:
        """Any event, in any state."""
        for scene, state in self._each_state():
            for moves in [*ANY_TIME, *(BEFORE_HEAD if state.is_before_head else [])]:
                stage = scene.stage(scripted=scene.responses)
                play_moves([*[Stage.go_on_in_halves] * state.events, *moves, Stage.cancel], stage)

    def test_contract_ignores_stale_events(self) -> None:
        """Events of requests that are over change nothing, in any state."""
        for scene in self.scenes():
            stage = scene.stage()
            while not stage.is_over:
                play_moves([Stage.deliver_stale, Stage.go_on_in_halves, Stage.deliver_stale], stage)
            check_same(stage.watched.items, scene.items)

    # 3. Determinism: the same events at the same times, and the same entropy, give the same commands.

    def test_determinism(self) -> None:
        """A second, equal flow returns the same batches."""

        @for_all(scene=self._scene, events_before=EVENTS_BEFORE, moves=lists_of(ANYTHING))
        def check(scene: Scene, events_before: int, moves: list[StageMove]) -> None:
            for watched in play_moves([*[Stage.go_on_in_halves] * events_before, *moves], scene.stage()).watched_flows:
                check_replay(watched)

        check()

    # 4. Resume: stop anywhere, restore from JSON: the same outcome, and nothing paid for twice.

    def test_resume(self) -> None:
        """Any number of crashes, at any moment."""

        @for_all(scene=self._scene, events_before=EVENTS_BEFORE, moves=lists_of(WITH_CRASHES))
        def check(scene: Scene, events_before: int, moves: list[StageMove]) -> None:
            stage = play_moves([*[Stage.go_on_in_halves] * events_before, *moves, Stage.finish], scene.stage())
            stage.check_outcome(scene.outcome)

        check()

    def test_resume_at_every_step(self) -> None:
        """Two crashes: one after each event, the other at once or five events later."""
        for scene in self.scenes():
            for events, later in product(range(scene.events + 1), (0, 5)):
                stage = scene.stage()
                play_moves(
                    [*[Stage.go_on_in_halves] * events, Stage.crash, *[Stage.go_on_in_halves] * later, Stage.crash],
                    stage,
                )
                stage.finish()
                stage.check_outcome(scene.outcome)

    def test_resume_after_every_fault(self) -> None:
        """A crash after each fault, in each state."""
        for scene, state in self._each_state():
            for fault in FAULTS:
                stage = scene.stage()
                play_moves([*[Stage.go_on_in_halves] * state.events, fault, Stage.crash, Stage.finish], stage)
                stage.check_outcome(scene.outcome)

    # 5. Truncation: the connection breaks at any byte: no text twice, exactly one `Finished`.

    def test_truncation(self) -> None:
        """Breaks of any kind, at any bytes of any responses."""

        @for_all(scene=self._scene, breaks=st.lists(breaks(), min_size=1, max_size=3))
        def check(scene: Scene, breaks: list[Break]) -> None:
            stage = scene.stage()
            for each in breaks:
                each.play(stage)
            stage.finish()
            stage.check_outcome(scene.outcome)

        check()

    def test_truncation_at_every_byte(self) -> None:
        """One break, at each byte of each response; no fault after it."""
        for scene, number in self._each_response():
            response = scene.responses[number]
            for offset in range(-1, len(response.body) + 1):
                # The head of a refusal is enough for the flow, so the request is not sent again.
                repeated = [] if offset >= 0 and response.status >= 300 else [response]
                scripted = [*scene.responses[: number + 1], *repeated, *scene.responses[number + 1 :]]
                stage = scene.stage(scripted=scripted)
                Break(number, offset, "network").play(stage)
                stage.finish()
                stage.check_outcome(scene.outcome)

    # 6. Hostile: wrong types, deep nesting, huge numbers, lone surrogates, endless bodies: a named failure, bounded
    # memory, linear time.

    def test_hostile(self) -> None:
        """A bad response never makes `handle` raise or the flow run for ever."""

        @for_all(scene=self._scene, number=REQUEST_NUMBERS, bad=bad_responses(), limits=LIMITS)
        def check(scene: Scene, number: int, bad: BadResponse, limits: Limits) -> None:
            play_with(scene, limits, number, bad)

        check()

    def test_hostile_values_of_every_type(self) -> None:
        """Each JSON value in each response may be of any type."""
        for scene, number in self._each_response():
            for place, name in product(places_of(scene.responses[number].body), TYPES):
                play_with(scene, DEFAULT_LIMITS, number, BadResponse(ReplacedValue(place, name)))

    def test_hostile_refusals_without_end(self) -> None:
        """A request that is refused each time is not sent for ever."""
        for (scene, number), status in product(self._each_response(), (302, 400, 401, 403, 404, 429, 500)):
            stage = scene.stage()
            for _ in range(MAX_EVENTS):
                if stage.request is not None and operation_of(stage.requests[-1]) == scene.operations[number]:
                    stage.respond(ScriptedResponse(status))
                else:
                    stage.go_on()
            assert stage.is_over, (
                f"the flow did not finish, although the server refused {' '.join(scene.operations[number])} "
                f"with status {status} each time: it waits for {stage.watched.wait!r}"
            )

    def test_hostile_input(self) -> None:
        """Wrong arguments raise `InvalidInput` when the flow is made, or end in a failure."""
        scene = self.scenes()[0]
        usual = self._arguments() | ({} if self.credentials is None else {"credentials": self.credentials})

        @for_all(wrong=field_inputs(usual))
        def check(wrong: FieldInput) -> None:
            subject = self._subject(**wrong.arguments(usual))
            try:
                stage = Stage(subject, scene.past, scripted=scene.responses)
            except InvalidInput:
                return
            play_moves([Stage.go_on, Stage.crash, Stage.finish], stage)

        check()

    def test_hostile_responses_without_end(self) -> None:
        """An endless response is aborted, and takes no more memory than the limits allow."""
        for scene, number in self._each_response():
            for status, unit in product((200, 404), UNITS):
                check_bounds(scene, number, status, unit)

    def test_hostile_responses_take_linear_time(self) -> None:
        """The CPU time for a response grows linearly with its length."""
        for scene, number in self._each_response():
            for unit, chunk_size in [*product(UNITS, (ONE_CHUNK,)), *product(LINES, (SMALL_CHUNK,))]:
                check_time(scene, number, unit, chunk_size)

    # 7. Secrets: no token, cookie or signature in a repr, a message or a recording.

    def test_secrets(self) -> None:
        """No secret is visible, even if the service echoes it."""

        @for_all(scene=self._scene, number=REQUEST_NUMBERS, echo=echoes())
        def check(scene: Scene, number: int, echo: Echo) -> None:
            stage = scene.stage()
            stage.reach(number % len(scene.responses))
            echo.play(stage, self.secret_names)
            stage.finish()
            check_secrecy(stage, self.secret_names, recorded=True)

        check()

    def test_secrets_in_shortened_messages(self) -> None:
        """No secret is visible in part, if a message is cut in the middle of it."""
        for (scene, number), padding in product(self._each_response(), range(100, 200, 4)):
            stage = scene.stage(Limits(tries=1))
            stage.reach(number)
            Echo(0, 0, padding, 400, "text").play(stage, self.secret_names)
            stage.finish()
            check_secrecy(stage, self.secret_names)

    # All seven at once.

    def test_sessions_full_of_faults(self) -> None:
        """Sessions with any faults at any time, chosen by hypothesis."""
        machine = partial(FaultySessions, self.scenes(), partial(check_secrecy, names=self.secret_names))
        run_state_machine_as_test(cast("type[FaultySessions]", machine), settings=settings(deadline=None))

    def _each_state(self) -> Iterator[tuple[Scene, State]]:
        """Each state once, with the scene that leads to it."""
        return ((scene, state) for scene in self.scenes() for state in scene.states)

    def _each_response(self) -> Iterable[tuple[Scene, int]]:
        """Each kind of response once: the scene that gets it soonest, and the number of its request there."""
        soonest: dict[object, tuple[Scene, int]] = {}
        for scene in self.scenes():
            for number, (operation, response) in enumerate(zip(scene.operations, scene.responses, strict=True)):
                known = soonest.setdefault((operation, response.status), (scene, number))
                soonest[operation, response.status] = min(known, (scene, number), key=lambda it: it[1])
        return soonest.values()


def play_with(scene: Scene, limits: Limits, number: int, bad: BadResponse, cuts: Sequence[int] = ()) -> Stage:
    """A session in which the response of this number is replaced by a bad one; everything else is regular."""
    stage = scene.stage(limits)
    if stage.reach(number % len(scene.responses)):
        stage.respond(bad.apply(stage.reach_server()), cuts, bad.failure)
    stage.finish()
    return stage
