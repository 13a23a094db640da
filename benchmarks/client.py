"""A client of the event streams, a process of its own: reads streams with one library, and says what that took."""

from __future__ import annotations

import cProfile
import gc
import io
import pstats
import re
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module

from machine import resident_bytes
from workers import Answers, Record

# Reads streams of that model at that URL, so many at a time, and hands on each piece of text.
Run = Callable[[str, str, int, Callable[[object], object]], None]

SAMPLE_SECONDS = 0.02
# Longer than any other number in an event.
_STAMP = re.compile(r"\d{11,}")


def main() -> None:
    """Answer what is asked of the library whose client is named."""
    answers = Answers()
    run = client(sys.argv[2])
    questions = {"cpu": measure_cpu, "memory": measure_memory, "delay": measure_delay, "profile": profile}
    answers.tell(name=sys.argv[2])

    def answer(question: Record) -> Record:
        return questions[question["what"]](run, question["url"], question["model"], question["streams"])

    answers.serve(answer)


def client(name: str) -> Run:
    """The client of a module; behind a colon stands which of those that the module can make."""
    module, _, variant = name.partition(":")
    found = import_module(f"clients.{module}")
    run: Run = found.run_over(variant) if variant else found.run
    return run


def measure_cpu(run: Run, url: str, model: str, streams: int) -> Record:
    """The CPU time of reading all streams, in seconds, and the number of pieces of text that came."""
    texts: list[object] = []
    gc.collect()
    begun = time.process_time()
    run(url, model, streams, texts.append)
    return {"cpu": time.process_time() - begun, "texts": len(texts)}


def measure_memory(run: Run, url: str, model: str, streams: int) -> Record:
    """The bytes of memory that the streams take while all of them are open."""
    gc.collect()
    before = most = resident_bytes()
    is_over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not is_over.wait(SAMPLE_SECONDS):
            most = max(most, resident_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    run(url, model, streams, lambda text: None)
    is_over.set()
    watcher.join()
    return {"bytes": most - before}


def measure_delay(run: Run, url: str, model: str, streams: int) -> Record:
    """Microseconds from the server's writing to the user's having the text."""
    delays: list[float] = []

    def take(text: object) -> None:
        now = time.monotonic_ns()
        found = _STAMP.search(text.decode() if isinstance(text, bytes) else str(text))
        if found is not None:
            delays.append((now - int(found[0])) / 1000)

    run(url, model, streams, take)
    return {"delay": delays[0]}


def profile(run: Run, url: str, model: str, streams: int) -> Record:
    """Where the time goes, as cProfile sees it."""
    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(run, url, model, streams, lambda text: None)
    told = io.StringIO()
    pstats.Stats(profiler, stream=told).sort_stats("tottime").print_stats(40)
    return {"profile": told.getvalue()}


if __name__ == "__main__":
    main()
