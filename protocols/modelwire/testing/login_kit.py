"""The kit that every login must pass: what a browser shows is up to the test.

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
from modelwire.provider import Provider

from .comparison import check_replay
from .faults.hostile import BODIES, VALUES, Valued, places_of
from .faults.moves import EVENTS, make, some
from .kit import for_all
from .login_stage import LoginStage, Page
from .secrecy import SECRET_NAMES, most_of, recording_of, secrets_of_value, shown_by, spellings

Move = Callable[[LoginStage], object]

GENTLE: list[Move] = [*[move("go_on")] * 4, move("stale"), move("wake"), move("pass_time", 0.5)]
CRASHING: list[Move] = [*GENTLE, move("crash")]
# Any event. The ids of scripts are counted from that of the last.
_EVENTS: list[Event] = [
    *EVENTS,
    *[PageEvaluated(id, "null") for id in (-1, 1)],
    *[PageClosed(id, "closed") for id in (-1, 1)],
]
_FAULTS: list[Move] = [
    *[move("raw", event) for event in _EVENTS],
    *[move("show", Page(body.decode("utf-8", "replace"))) for body in BODIES.values()],
    *[move("show", Page('"\ud800"'))],
    *[move("close", kind, detail) for kind in ("closed", "failed") for detail in ("", "\x1b[31m\ud800\r\n" * 200)],
    *[move("pass_time", seconds) for seconds in (5.0, 4000.0, -50.0)],
    move("oversleep"),
    move("cancel"),
]
WILD: list[Move] = [*GENTLE * 8, *CRASHING, *_FAULTS]
# Events that are as they should be, before anything else happens.
_BEGUN = st.integers(0, 12)


class LoginKit:
    """The properties of a login, each a test or several.

    `provider` is what is tested. `pages` are what a browser shows, one after the other, while a person logs in: the
    value of the script as JSON, and the cookies. The last one is enough for a login. `secret_names` says which fields
    hold secrets.
    """

    provider: ClassVar[Provider]
    pages: ClassVar[Sequence[Page]]
    secret_names: ClassVar[re.Pattern[str]] = SECRET_NAMES

    def make_flow(self, **given: object) -> LoginFlow:
        """The login with the provider's own options and endpoints."""
        usual = {"options": self.provider.options(), "endpoints": self.provider.endpoints()}
        return cast("Callable[..., LoginFlow]", self.provider.login)(**(usual | given))

    def stage(self, pages: Sequence[Page] | None = None) -> LoginStage:
        """A stage on which these pages come, or those of a login without a fault."""
        return LoginStage(self.make_flow, self.pages if pages is None else pages)

    def test_a_person_logs_in(self) -> None:
        """Without a fault it ends with credentials that the provider takes."""
        stage = self._finished()
        assert stage.session.failure is None, f"it came to {stage.session.failure}"
        assert stage.credentials is not None, "it ended without credentials"
        assert self.provider.credentials is not None, "the provider has no credentials"
        convert_input(stage.credentials, self.provider.credentials, "credentials")

    def test_contract(self) -> None:
        """Whatever happens, in whatever order: one wait a batch and that the last, nothing after the end."""

        @for_all(begun=_BEGUN, moves=some(WILD))
        def check(begun: int, moves: list[Move]) -> None:
            make([*[move("go_on")] * begun, *moves, move("cancel")], self.stage())

        check()

    def test_contract_in_every_state(self) -> None:
        """Whatever happens after any number of events."""
        for events, one in product(range(self._events() + 1), [*_FAULTS, *CRASHING]):
            make([*[move("go_on")] * events, one, move("finish")], self.stage())

    def test_determinism(self) -> None:
        """A login can be played again."""

        @for_all(begun=_BEGUN, moves=some(WILD))
        def check(begun: int, moves: list[Move]) -> None:
            for session in make([*[move("go_on")] * begun, *moves], self.stage()).sessions:
                check_replay(session)

        check()

    def test_resume(self) -> None:
        """Cut anywhere, it comes to the same credentials."""
        expected = self._finished().credentials

        @for_all(moves=some(CRASHING))
        def check(moves: list[Move]) -> None:
            stage = make([*moves, move("finish")], self.stage())
            assert stage.credentials == expected, "other credentials came of it"

        check()

    def test_nobody_is_waited_for_for_ever(self) -> None:
        """Nobody logs in: it ends in its time, and says so."""
        stage = self._finished(self.pages[:1])
        failure = stage.session.failure
        assert failure is not None, "a login, though nobody has logged in"
        assert failure.kind == "timeout", f"it came to {failure}"
        assert stage.now <= stage.session.end_of_time + 1

    def test_hostile(self) -> None:
        """What a page holds may be anything: a login, or a failure that has a name."""
        for number, page in enumerate(self.pages):
            body = page.value.encode()
            for place, name in product(places_of(body), VALUES):
                value = Valued(place, name).of(body).decode("utf-8", "replace")
                pages = [*self.pages[:number], Page(value, page.cookies)]
                make([move("finish")], LoginStage(partial(self.make_flow, limits=Limits(total=20.0)), pages))

    def test_hostile_pages_without_end(self) -> None:
        """What a page holds is bounded."""
        limits = Limits(body=1000)
        stage = LoginStage(partial(self.make_flow, limits=limits), [Page(" " * 1001 + self.pages[-1].value)])
        stage.finish()
        assert stage.session.failure is not None
        assert stage.session.failure.kind == "limit"

    def test_secrets(self) -> None:
        """None can be seen in a repr, a message, a snapshot or a recording."""
        secrets = self._secrets()
        assert secrets, "the pages hold no secret by these names"

        @for_all(moves=some([*CRASHING, move("cancel"), move("close_quoting")]))
        def check(moves: list[Move]) -> None:
            stage = make([*moves, move("finish")], self.stage())
            for session in stage.sessions:
                texts = "\n".join([*shown_by(session, is_honest=True), *recording_of(session)])
                for secret in secrets:
                    for spelling in (*spellings(secret), most_of(secret)):
                        assert spelling not in texts, f"{spelling!r} can be seen"

        check()

    def _events(self) -> int:
        return len(self._finished().session.steps)

    def _secrets(self) -> set[str]:
        return set(secrets_of_value(self._finished().credentials, self.secret_names))

    def _finished(self, pages: Sequence[Page] | None = None) -> LoginStage:
        stage = self.stage(pages)
        stage.finish()
        return stage
