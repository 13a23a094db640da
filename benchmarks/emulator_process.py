"""The emulators, a process of their own, with long answers; it says the base URL of each provider, in each mode.

coalesced   all of it at once; raw text in small HTTP chunks, an event in one
crumbled    all of it at once, in chunks as small as the emulators' own default
written     a piece at a time
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from workers import Answers

from modelwire.emulators import cromicle, fakegpt, hailuo, magickpen
from modelwire.emulators.emulator import DEFAULT_BEHAVIOUR, Behaviour
from modelwire_io.emulator_server import EmulatorServer

# ASCII: one of the originals breaks where a character of several bytes is split. Events hold all of the answer so far.
LINE = "The quick brown fox jumps over the lazy dog, once more.        \n"
TEXT, CUMULATIVE = LINE * 1000, LINE * 250
TEXTS = {"cromicle": cromicle, "magickpen": magickpen}
EVENTS = {"fakegpt": fakegpt, "hailuo": hailuo}
SMALL, LARGE = 8, 1 << 20  # bytes


class Mode(NamedTuple):
    """How an answer comes: seconds before each chunk, and the bytes in one, of raw text and of an event stream."""

    pause: float
    text_chunk: int
    event_chunk: int


MODES = {
    "coalesced": Mode(0.0, SMALL, LARGE),
    "crumbled": Mode(0.0, DEFAULT_BEHAVIOUR.chunk_size, DEFAULT_BEHAVIOUR.chunk_size),
    "written": Mode(0.001, SMALL, LARGE),
}


def main() -> None:
    """Serve until nobody asks any more."""
    answers = Answers()
    for modules, said in ((TEXTS, TEXT), (EVENTS, CUMULATIVE)):
        for module in modules.values():
            vars(module)["answer_to"] = partial(_say, said)
    with ExitStack() as stack:
        found = {}
        for name, mode in MODES.items():
            texts, events = (
                stack.enter_context(EmulatorServer(behaviour=behaviour))
                for behaviour in (_behaviour(mode.pause, mode.text_chunk), _behaviour(mode.pause, mode.event_chunk))
            )
            found[name] = events.providers | {text: texts.providers[text] for text in TEXTS}
        answers.tell(**found)
        answers.serve(lambda question: {})


def _say(said: str, prompt: str) -> str:
    return said


def _behaviour(pause: float, chunk_size: int) -> Behaviour:
    return Behaviour(pause=pause, queue=0, work=0, chunk_size=chunk_size)


if __name__ == "__main__":
    main()
