"""`CredentialsReplaced`: another flow has renewed the credentials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import msgspec
import pytest

from modelwire.commands import AbortRequest, Sleep
from modelwire.errors import LocalProtocolError
from modelwire.events import CredentialsReplaced, ResponseStarted
from modelwire.flow import Steps, credentials_field
from played_flow import NOW, PlayedFlow, begin
from toy_flows import FetchFlow, ToyFlow


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    token: str = ""


@dataclass(kw_only=True)
class Sharing(ToyFlow):
    """Gets a token in its first phase, unless it has one, and then sleeps."""

    credentials: Pass | None = credentials_field()
    credential_phases: ClassVar[frozenset[str]] = frozenset({"start"})

    def start(self) -> Steps:
        if self.credentials is not None:
            return self.use
        yield from self.sleep(1)
        yield from self.fetch(self.request)
        return self.use

    def use(self) -> Steps:
        yield from self.sleep(1)


REPLACED = CredentialsReplaced({"token": "token-of-another"})


def test_replaced_credentials_are_used_while_the_flow_gets_new_ones() -> None:
    session = begin(Sharing())
    assert session.deliver(REPLACED) == [Sleep(NOW + 1)]
    assert session.flow.credentials == Pass(token="token-of-another")
    session = begin(Sharing())
    session.wake()
    assert session.deliver(REPLACED, after=1) == [AbortRequest(1), Sleep(session.now + 1)]
    assert session.deliver(ResponseStarted(1, 200, ())) == []
    session.wake()
    assert session.succeeded
    assert session.deliver(REPLACED) == []


def test_replaced_credentials_are_ignored_at_any_other_time() -> None:
    for flow in (Sharing(credentials={"token": "token-of-its-own"}), FetchFlow()):  # type: ignore[arg-type]
        assert PlayedFlow(flow).deliver(REPLACED) == []
        session = begin(flow)
        held, phase = session.flow.credentials, json.loads(session.flow.snapshot())["phase"]
        assert session.deliver(REPLACED) == []
        assert (session.flow.credentials, json.loads(session.flow.snapshot())["phase"]) == (held, phase)


def test_replaced_credentials_are_secret_even_if_they_are_ignored() -> None:
    for flow in (Sharing(), Sharing(credentials={"token": "token-of-its-own"}), FetchFlow()):  # type: ignore[arg-type]
        session = begin(flow)
        session.deliver(REPLACED)
        assert "token-of-another" in session.flow.secrets
    assert "token-of-another" not in repr(REPLACED)


def test_replaced_credentials_of_a_wrong_shape_are_refused() -> None:
    session = begin(Sharing())
    with pytest.raises(LocalProtocolError, match=r"^the credentials do not fit: .* - at `\$\.token`$") as raised:
        session.flow.handle(CredentialsReplaced({"token": ["token-of-another"]}), NOW)
    assert "token-of-another" not in str(raised.value)
    assert session.flow.credentials is None
    assert session.deliver(REPLACED) == [Sleep(NOW + 1)]
