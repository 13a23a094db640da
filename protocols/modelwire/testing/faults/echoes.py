"""Services that echo a secret in a text that the user might see."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hypothesis import strategies as st

from modelwire.testing.secrecy import secrets_of_stage, spellings
from modelwire.testing.stage import Stage
from modelwire.testing.wire import ScriptedResponse

# Bodies of refusals that echo the secret. ESCAPED stands for the secret with every character as a JSON escape.
ECHO_BODIES = {
    "text": "no, not SECRET",
    "title": "<html><title>No, not SECRET</title>",
    "error": '{"error": {"message": "no, not SECRET"}}',
    "escaped": '{"message": "no, not ESCAPED"}',
    "status": '{"status": "no, not SECRET"}',
}
# A string or a number that is the value of a JSON member.
_VALUE = re.compile(rb'(?<=:)\s*(?:"(?:[^"\\]|\\.)*"|-?\d+)')


class Echo(NamedTuple):
    """One secret, echoed in one spelling.

    `secret` and `spelling` are indexes. `padding` is the number of characters before the secret. `way` is where it
    stands: `detail` (of a `RequestFailed`), `values` (every value of a JSON body), or a key of `ECHO_BODIES`.
    """

    secret: int
    spelling: int
    padding: int
    status: int
    way: str

    def play(self, stage: Stage, names: re.Pattern[str]) -> None:
        """Respond to the request under way with the echo. Does nothing if there is no secret yet."""
        secrets = secrets_of_stage(stage, names)
        if not secrets:
            return
        spelled = sorted(spellings(secrets[self.secret % len(secrets)]))
        text = "-" * self.padding + spelled[self.spelling % len(spelled)]
        if self.way == "detail":
            stage.fail("network", detail=f"not {text}")
        elif self.way == "values":
            good, value = stage.reach_server(), json.dumps(f"no, not {text}").encode()
            stage.respond(good._replace(body=_VALUE.sub(lambda _: value, good.body)))
        else:
            refusal = ECHO_BODIES[self.way].replace("SECRET", text).replace("ESCAPED", escaped(text))
            stage.respond(ScriptedResponse(self.status, (), refusal.encode()))


def escaped(text: str) -> str:
    """The text with every character as a JSON escape (a `u` and four digits)."""
    return re.sub("....", r"\\u\g<0>", text.encode("utf-16-be").hex())


def echoes() -> st.SearchStrategy[Echo]:
    """Echoes of any secret, in any spelling, in any place."""
    return st.builds(
        Echo,
        st.integers(0, 20),
        st.integers(0, 6),
        st.just(0) | st.integers(100, 200),
        st.sampled_from([302, 400, 401, 403, 404, 429, 500, 503]),
        st.sampled_from([*ECHO_BODIES, "detail", "values"]),
    )
