"""Tests that every login must pass. Subclass `LoginKit` and name the provider and the pages that the browser shows.

class TestMyLogin(LoginKit):
    provider = PROVIDER
    pages = (Page('{"token": null}'), Page('{"token": "a-token"}'))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from operator import methodcaller as move
from typing import ClassVar, cast

from hypothesis import strategies as st

from modelwire.events import Event, PageClosed, PageEvaluated
from modelwire.json import convert_input
from modelwire.limits import Limits
from modelwire.login import LoginFlow
from modelwire.provider import Provider, options_type

from .comparison import check_replay
from .faults.hostile import BODIES, VALUES, ReplacedValue, places_of
from .faults.moves import EVENTS, lists_of, play_moves
from .kit import for_all
from .login_stage import LoginStage, Page
from .secrecy import SECRET_NAMES, most_of, recording_of, secrets_of_value, spellings, visible_texts

LoginMove = Callable[[LoginStage], object]

HARMLESS: list[LoginMove] = [*[move("go_on")] * 4, move("deliver_stale"), move("wake"), move("pass_time", 0.5)]
WITH_CRASHES: list[LoginMove] = [*HARMLESS, move("crash")]
# Events of every kind. Their request ids are relative to the last one that the flow used.
_EVENTS: list[Event] = [
    *EVENTS,
    *[PageEvaluated(id, "null") for id in (-1, 1)],
    *[PageClosed(id, "closed") for id in (-1, 1)],
]
_FAULTS: list[LoginMove] = [
    *[move("inject", event) for event in _EVENTS],
    *[move("show", Page(body.decode("utf-8", "replace"))) for body in BODIES.values()],
    *[move("show", Page('"\ud800"'))],
    *[move("close", kind, detail) for kind in ("closed", "failed") for detail in ("", "\x1b[31m\ud800\r\n" * 200)],
    *[move("pass_time", seconds) for seconds in (5.0, 4000.0, -50.0)],
    move("time_out"),
    move("cancel"),
]
ANYTHING: list[LoginMove] = [*HARMLESS * 8, *WITH_CRASHES, *_FAULTS]
# Number of regular events before the first fault.
_EVENTS_BEFORE = st.integers(0, 12)


class LoginKit:
    """Tests of the properties that every login must have. Subclass it in a test module.

    `provider` is the provider under test. `pages` are the pages that the browser shows while a person logs in, each
    with the value of the flow's script and the cookies there. The last one must complete the login; the first one must
    not. `secret_names` matches the names of the credentials' fields that hold secrets.
    """

    provider: ClassVar[Provider]
    pages: ClassVar[Sequence[Page]]
    secret_names: ClassVar[re.Pattern[str]] = SECRET_NAMES

    def login_flow(self) -> type[LoginFlow]:
        assert self.provider.login is not None, f"{self.provider.label} has no login flow"
        return self.provider.login

    def make_flow(self, **arguments: object) -> LoginFlow:
        """The login under test, with the provider's default options and endpoints. `arguments` override them."""
        usual = {"options": options_type(self.login_flow())(), "endpoints": self.provider.endpoints}
        return cast("Callable[..., LoginFlow]", self.login_flow())(**(usual | arguments))

    def stage(self, pages: Sequence[Page] | None = None) -> LoginStage:
        """A stage whose browser shows these pages; by default the kit's `pages`."""
        return LoginStage(self.make_flow, self.pages if pages is None else pages)

    def test_a_person_logs_in(self) -> None:
        """Without faults the login emits credentials of the provider's type."""
        stage = self._finished()
        assert stage.watched.failure is None, (
            f"the login failed, although the last page was shown: {stage.watched.failure}"
        )
        assert stage.credentials is not None, "the login finished without CredentialsChanged"
        assert self.provider.credentials is not None, (
            f"{self.provider.label} has a login, but no flow that takes credentials"
        )
        convert_input(stage.credentials, self.provider.credentials, "credentials")

    def test_contract(self) -> None:
        """Any events, in any order."""

        @for_all(events_before=_EVENTS_BEFORE, moves=lists_of(ANYTHING))
        def check(events_before: int, moves: list[LoginMove]) -> None:
            play_moves([*[move("go_on")] * events_before, *moves, move("cancel")], self.stage())

        check()

    def test_contract_in_every_state(self) -> None:
        """Any event, in any state."""
        for events, fault in product(range(self._events() + 1), [*_FAULTS, *WITH_CRASHES]):
            play_moves([*[move("go_on")] * events, fault, move("finish")], self.stage())

    def test_determinism(self) -> None:
        """A second, equal flow returns the same batches."""

        @for_all(events_before=_EVENTS_BEFORE, moves=lists_of(ANYTHING))
        def check(events_before: int, moves: list[LoginMove]) -> None:
            for watched in play_moves([*[move("go_on")] * events_before, *moves], self.stage()).watched_flows:
                check_replay(watched)

        check()

    def test_resume(self) -> None:
        """After any number of crashes, the login emits the same credentials."""
        expected = self._finished().credentials

        @for_all(moves=lists_of(WITH_CRASHES))
        def check(moves: list[LoginMove]) -> None:
            stage = play_moves([*moves, move("finish")], self.stage())
            assert stage.credentials == expected, (
                "a login that was restored emitted other credentials than one that was not interrupted"
            )

        check()

    def test_a_login_that_nobody_makes_times_out(self) -> None:
        """If only the first page is shown, the login fails with `timeout`, and in time."""
        stage = self._finished(self.pages[:1])
        failure = stage.watched.failure
        assert failure is not None, (
            "the login succeeded, although only the first page was shown and nobody had logged in"
        )
        assert failure.kind == "timeout", f"a login that nobody makes must fail with 'timeout', not {failure}"
        assert stage.now <= stage.watched.total_deadline + 1, (
            f"the login ended at {stage.now}, after the end of its time ({stage.watched.total_deadline})"
        )

    def test_hostile(self) -> None:
        """Each JSON value of a page may be anything: `handle` never raises."""
        for number, page in enumerate(self.pages):
            body = page.value.encode()
            for place, name in product(places_of(body), VALUES):
                value = ReplacedValue(place, name).apply(body).decode("utf-8", "replace")
                pages = [*self.pages[:number], Page(value, page.cookies)]
                play_moves([move("finish")], LoginStage(partial(self.make_flow, limits=Limits(total=20.0)), pages))

    def test_hostile_pages_without_end(self) -> None:
        """A value longer than `Limits.body` is a failure of kind `limit`."""
        limits = Limits(body=1000)
        stage = LoginStage(partial(self.make_flow, limits=limits), [Page(" " * 1001 + self.pages[-1].value)])
        stage.finish()
        failure = stage.watched.failure
        assert failure is not None, f"the login accepted a page's value of more than {limits.body} bytes"
        assert failure.kind == "limit", f"a page's value that is too long must fail with 'limit', not {failure}"

    def test_secrets(self) -> None:
        """No secret is visible in a repr, a message, a snapshot or a recording."""
        secrets = self._secrets()
        assert secrets, (
            "no field of the credentials has a name that `secret_names` matches, so there is nothing to test"
        )

        @for_all(moves=lists_of([*WITH_CRASHES, move("cancel"), move("close_quoting")]))
        def check(moves: list[LoginMove]) -> None:
            stage = play_moves([*moves, move("finish")], self.stage())
            for watched in stage.watched_flows:
                texts = "\n".join([*visible_texts(watched, is_honest=True), *recording_of(watched)])
                for secret in secrets:
                    for spelling in (*spellings(secret), most_of(secret)):
                        assert spelling not in texts, (
                            f"the secret {spelling!r} can be seen in a repr, a message, a snapshot or a recording"
                        )

        check()

    def _events(self) -> int:
        return len(self._finished().watched.calls)

    def _secrets(self) -> set[str]:
        return set(secrets_of_value(self._finished().credentials, self.secret_names))

    def _finished(self, pages: Sequence[Page] | None = None) -> LoginStage:
        stage = self.stage(pages)
        stage.finish()
        return stage
