"""The kit for logins can fail: each property catches a login that has not got it."""

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
    """What a page holds."""

    token: str | None = None


@dataclass(kw_only=True)
class SimpleLogin(LoginFlow):
    """Looks at a page until there is a token."""

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
    """Looks again at once."""

    def start(self) -> Steps:
        self.open()
        while not self.token_in((yield from self.evaluate("read()")).value):
            pass
        return None


def kit_for(flow: type[LoginFlow]) -> LoginKit:
    """The kit of one more login."""

    class Kit(LoginKit):
        provider = msgspec.structs.replace(hailuo.PROVIDER, login=flow)
        pages = (Page('{"token": null}'), Page('{"token": "the-token"}'))

    return Kit()


PROPERTIES = sorted(name for name in vars(LoginKit) if name.startswith("test_"))


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_login_without_a_fault_passes(name: str) -> None:
    getattr(kit_for(SimpleLogin), name)()


def test_a_browser_that_is_opened_anew_quotes_nothing_of_the_last_one() -> None:
    stage = kit_for(SimpleLogin).stage([Page('{"token": null, "x": "said"}')])
    for move in (stage.go_on, stage.go_on, stage.crash, stage.go_on, stage.close_quoting):
        move()
    assert stage.session.failure is not None
    assert "said" not in stage.session.failure.message
    again = kit_for(SimpleLogin).stage([Page('{"token": null, "x": "said"}')])
    for move in (again.go_on, again.go_on, again.oversleep, again.close_quoting):
        move()
    assert again.session.failure is not None
    assert "said" in again.session.failure.message


@pytest.mark.parametrize(
    ("flow", "name", "said"),
    [
        (Unopened, "test_contract_in_every_state", "no page to evaluate it in"),
        (Trusting, "test_contract_in_every_state", "Expecting|subscriptable|indices|token|Extra data|UTF-8"),
        (Trusting, "test_hostile", "Expecting|subscriptable|indices|token|Extra data|recursion|digits"),
        (Counting, "test_determinism", "and was with"),
        (Counting, "test_resume", "other credentials"),
        (Talkative, "test_secrets", "can be seen"),
        (Undecided, "test_nobody_is_waited_for_for_ever", "though nobody has logged in"),
        (Restless, "test_nobody_is_waited_for_for_ever", "does not end"),
        (Wordy, "test_a_person_logs_in", "cpu_core_num"),
        (Shy, "test_a_person_logs_in", "somebody has logged in"),
    ],
)
def test_a_defect_is_caught(flow: type[LoginFlow], name: str, said: str) -> None:
    with pytest.raises(Exception, match=said):
        getattr(kit_for(flow), name)()
