"""Services that say a secret again, in words that a person might get to see."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from hypothesis import strategies as st

from modelwire.testing.secrecy import secrets_of, spellings
from modelwire.testing.stage import Stage
from modelwire.testing.wire import Answer

# What is said instead of an answer. ESCAPED is the secret as JSON may write it, every character of it in digits.
REFUSALS = {
    "text": "no, not SECRET",
    "title": "<html><title>No, not SECRET</title>",
    "error": '{"error": {"message": "no, not SECRET"}}',
    "escaped": '{"message": "no, not ESCAPED"}',
    "status": '{"status": "no, not SECRET"}',
}
# The value of a member of JSON.
_VALUE = re.compile(rb'(?<=:)\s*(?:"(?:[^"\\]|\\.)*"|-?\d+)')


class Echo(NamedTuple):
    """One secret, in one spelling, said in one way: `detail` of a failure, all the `values` of JSON, or a refusal.

    `before` is the number of characters that are said before it.
    """

    which: int
    spelling: int
    before: int
    status: int
    way: str

    def play(self, stage: Stage, names: re.Pattern[str]) -> None:
        """Answer the request under way with it, if there is a secret by now."""
        secrets = secrets_of(stage, names)
        if not secrets:
            return
        spelt = sorted(spellings(secrets[self.which % len(secrets)]))
        text = "-" * self.before + spelt[self.spelling % len(spelt)]
        if self.way == "detail":
            stage.fail("network", detail=f"not {text}")
        elif self.way == "values":
            good, value = stage.arrive(), json.dumps(f"no, not {text}").encode()
            stage.answer(good._replace(body=_VALUE.sub(lambda _: value, good.body)))
        else:
            refusal = REFUSALS[self.way].replace("SECRET", text).replace("ESCAPED", escaped(text))
            stage.answer(Answer(self.status, (), refusal.encode()))


def escaped(text: str) -> str:
    """The text as JSON may write it, every character of it in hexadecimal digits."""
    return re.sub("....", r"\\u\g<0>", text.encode("utf-16-be").hex())


def echoes() -> st.SearchStrategy[Echo]:
    """Any secret, in any spelling, said in any way."""
    return st.builds(
        Echo,
        st.integers(0, 20),
        st.integers(0, 6),
        st.just(0) | st.integers(100, 200),
        st.sampled_from([302, 400, 401, 403, 404, 429, 500, 503]),
        st.sampled_from([*REFUSALS, "detail", "values"]),
    )
