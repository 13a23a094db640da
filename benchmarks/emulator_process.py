"""The emulators, a process of their own for each mode, with long answers; it says the base URL of each provider.

coalesced   all of it at once; raw text in small HTTP chunks, an event in one
crumbled    all of it at once, in chunks as small as the emulators' own default
written     a piece at a time
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from workers import Answers

from modelwire.emulators import cromicle, fakegpt, hailuo, magickpen
from modelwire.emulators.emulator import DEFAULT_BEHAVIOUR, Behaviour
from modelwire_io.emulation import EmulatorServer

# ASCII: one of the originals breaks where a character of several bytes is split.
LINE = "The quick brown fox jumps over the lazy dog, once more.        \n"
TEXTS = {"cromicle": cromicle, "magickpen": magickpen}
EVENTS = {"fakegpt": fakegpt, "hailuo": hailuo}
SMALL, LARGE = 8, 1 << 20  # bytes


class Mode(NamedTuple):
    """How an answer comes: seconds before each chunk, the bytes in one, and lines, of raw text and of an event stream.

    Events hold all of the answer so far.
    """

    pause: float
    text_chunk: int
    event_chunk: int
    text_lines: int
    event_lines: int


MODES = {
    "coalesced": Mode(0.0, SMALL, LARGE, 1000, 250),
    "crumbled": Mode(0.0, DEFAULT_BEHAVIOUR.chunk_size, DEFAULT_BEHAVIOUR.chunk_size, 250, 62),
    "written": Mode(0.001, SMALL, LARGE, 250, 62),
}


def main() -> None:
    """Serve until nobody asks any more."""
    answers = Answers()
    mode = MODES[sys.argv[2]]
    for modules, lines in ((TEXTS, mode.text_lines), (EVENTS, mode.event_lines)):
        for module in modules.values():
            vars(module)["answer_to"] = partial(_say, LINE * lines)
    with ExitStack() as stack:
        texts, events = (
            stack.enter_context(EmulatorServer(behaviour=behaviour))
            for behaviour in (_behaviour(mode.pause, mode.text_chunk), _behaviour(mode.pause, mode.event_chunk))
        )
        answers.tell(**(events.providers | {text: texts.providers[text] for text in TEXTS}))
        answers.serve(lambda question: {})


def _say(said: str, prompt: str) -> str:
    return said


def _behaviour(pause: float, chunk_size: int) -> Behaviour:
    return Behaviour(pause=pause, queue=0, work=0, chunk_size=chunk_size)


if __name__ == "__main__":
    main()
