"""Each property of the kit for logins catches a login that lacks it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from modelwire.errors import NoAnswer
from modelwire.flow import Steps
from modelwire.json import JsonObject, decode
from modelwire.login import LoginFlow
from modelwire.outputs import CredentialsChanged
from modelwire.providers import hailuo
from modelwire.testing import LoginKit, Page


class State(msgspec.Struct):
    """The value of a page."""

    token: str | None = None


@dataclass(kw_only=True)
class SimpleLogin(LoginFlow):
    """Evaluates a script until the page has a token."""

    options: hailuo.HailuoOptions = hailuo.HailuoOptions()
    endpoints: hailuo.HailuoEndpoints = hailuo.HailuoEndpoints()

    def start(self) -> Steps:
        self.open()
        while True:
            token = self.token_in((yield from self.evaluate("read()")).value)
            if token:
                self.emit(CredentialsChanged(self.keep(token)))
                return None
            yield from self.sleep(1.0)

    def open(self) -> None:
        self.open_page(self.endpoints.site)

    def token_in(self, value: str) -> str | None:
        return decode(value, State).token

    def keep(self, token: str) -> JsonObject:
        self.conceal(token)
        return {"token": token}


class Unopened(SimpleLogin):
    def open(self) -> None:
        pass


class Trusting(SimpleLogin):
    def token_in(self, value: str) -> str | None:
        found: Any = json.loads(value)["token"]
        return found if found is None else str(found)


class Counting(SimpleLogin):
    made = 0

    def keep(self, token: str) -> JsonObject:
        type(self).made += 1
        return {**super().keep(token), "login": self.made}


class Talkative(SimpleLogin):
    def keep(self, token: str) -> JsonObject:
        return {"token": token}


class Undecided(SimpleLogin):
    def token_in(self, value: str) -> str | None:
        return super().token_in(value) or "guest"


class Shy(SimpleLogin):
    def token_in(self, value: str) -> str | None:
        if super().token_in(value):
            raise NoAnswer("somebody has logged in")
        return None


class Wordy(SimpleLogin):
    def keep(self, token: str) -> JsonObject:
        return {**super().keep(token), "cpu_core_num": "many"}


class Restless(SimpleLogin):
    """Polls the page without a pause."""

    def start(self) -> Steps:
        self.open()
        while not self.token_in((yield from self.evaluate("read()")).value):
            pass
        return None


def kit_for(flow: type[LoginFlow]) -> LoginKit:
    """The kit for a login."""

    class Kit(LoginKit):
        provider = msgspec.structs.replace(hailuo.PROVIDER, login=flow)
        pages = (Page('{"token": null}'), Page('{"token": "the-token"}'))

    return Kit()


PROPERTIES = sorted(name for name in vars(LoginKit) if name.startswith("test_"))


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_login_without_a_fault_passes(name: str) -> None:
    getattr(kit_for(SimpleLogin), name)()


def test_a_new_browser_does_not_quote_the_pages_of_the_last_one() -> None:
    stage = kit_for(SimpleLogin).stage([Page('{"token": null, "x": "said"}')])
    for move in (stage.go_on, stage.go_on, stage.crash, stage.go_on, stage.close_quoting):
        move()
    assert stage.watched.failure is not None
    assert "said" not in stage.watched.failure.message
    again = kit_for(SimpleLogin).stage([Page('{"token": null, "x": "said"}')])
    for move in (again.go_on, again.go_on, again.time_out, again.close_quoting):
        move()
    assert again.watched.failure is not None
    assert "said" in again.watched.failure.message


@pytest.mark.parametrize(
    ("flow", "name", "message"),
    [
        (Unopened, "test_contract_in_every_state", "there is no page"),
        (Trusting, "test_contract_in_every_state", "Expecting|subscriptable|indices|token|Extra data|UTF-8"),
        (Trusting, "test_hostile", "Expecting|subscriptable|indices|token|Extra data|recursion|digits"),
        (Counting, "test_determinism", "the flow is not deterministic"),
        (Counting, "test_resume", "other credentials"),
        (Talkative, "test_secrets", "can be seen"),
        (Undecided, "test_a_login_that_nobody_makes_times_out", "nobody had logged in"),
        (Restless, "test_a_login_that_nobody_makes_times_out", "did not finish"),
        (Wordy, "test_a_person_logs_in", "cpu_core_num"),
        (Shy, "test_a_person_logs_in", "somebody has logged in"),
    ],
)
def test_a_defect_is_caught(flow: type[LoginFlow], name: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        getattr(kit_for(flow), name)()
