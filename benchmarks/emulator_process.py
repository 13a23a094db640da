"""The emulators with long answers, in a process of their own for each mode. It sends the base URL of each provider.

coalesced      all of the answer at once; raw text in HTTP chunks of 8 bytes, each event in one chunk
small chunks   all of it at once, in chunks of 7 bytes, the emulators' default
paced          a piece every millisecond
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

from child_processes import Parent

from modelwire.emulators import cromicle, fakegpt, hailuo, magickpen
from modelwire.emulators.emulator import DEFAULT_BEHAVIOUR, Behaviour
from modelwire_io.emulation import EmulatorServer

# ASCII: one of g4f's originals fails if a character of several bytes is split.
LINE = "The quick brown fox jumps over the lazy dog, once more.        \n"
TEXTS = {"cromicle": cromicle, "magickpen": magickpen}
EVENTS = {"fakegpt": fakegpt, "hailuo": hailuo}
# Bytes of a chunk.
SMALL, LARGE = 8, 1 << 20


class Mode(NamedTuple):
    """Size and pace of answers: `pause` in seconds before each chunk, chunks in bytes, answers in lines.

    Raw text and event streams differ, because each event repeats the answer so far.
    """

    pause: float
    text_chunk: int
    event_chunk: int
    text_lines: int
    event_lines: int


MODES = {
    "coalesced": Mode(0.0, SMALL, LARGE, 1000, 250),
    "small chunks": Mode(0.0, DEFAULT_BEHAVIOUR.chunk_size, DEFAULT_BEHAVIOUR.chunk_size, 250, 62),
    "paced": Mode(0.001, SMALL, LARGE, 250, 62),
}


def main() -> None:
    """Send the base URLs, and serve until the parent process ends."""
    parent = Parent()
    mode = MODES[sys.argv[2]]
    for modules, lines in ((TEXTS, mode.text_lines), (EVENTS, mode.event_lines)):
        for module in modules.values():
            assert "answer_to" in vars(module)
            vars(module)["answer_to"] = partial(_answer, LINE * lines)
    with ExitStack() as stack:
        texts, events = (
            stack.enter_context(EmulatorServer(behaviour=behaviour))
            for behaviour in (_behaviour(mode.pause, mode.text_chunk), _behaviour(mode.pause, mode.event_chunk))
        )
        parent.send(**(events.providers | {text: texts.providers[text] for text in TEXTS}))
        parent.serve(lambda request: {})


def _answer(text: str, prompt: str) -> str:
    return text


def _behaviour(pause: float, chunk_size: int) -> Behaviour:
    return Behaviour(pause=pause, queue=0, work=0, chunk_size=chunk_size)


if __name__ == "__main__":
    main()
