"""A client in a process of its own: it runs one module of `clients/` and measures itself.

client_process.py CORE MODULE[:VARIANT]
"""

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

from child_processes import JsonObject, Parent
from machine import resident_bytes

# Base URL, model, streams at a time, and a callback that gets each piece of text (of `clients/jobs`: each image).
Run = Callable[[str, str, int, Callable[[object], object]], None]

SAMPLE_SECONDS = 0.02
# The timestamp in an event: it has more digits than any other number there.
_TIMESTAMP = re.compile(r"\d{11,}")


def main() -> None:
    parent = Parent()
    run = find_run(sys.argv[2])
    measurements = {"cpu": measure_cpu, "memory": measure_memory, "delay": measure_delay, "profile": profile}
    parent.send(name=sys.argv[2])

    def handle(request: JsonObject) -> JsonObject:
        return measurements[request["what"]](run, request["url"], request["model"], request["streams"])

    parent.serve(handle)


def find_run(name: str) -> Run:
    """The `run` of a module, or, for `module:variant`, the one that its `run_over` makes."""
    module, _, variant = name.partition(":")
    found = import_module(f"clients.{module}")
    run: Run = found.run_over(variant) if variant else found.run
    return run


def measure_cpu(run: Run, url: str, model: str, streams: int) -> JsonObject:
    """Seconds of CPU time to read all streams, and the number of pieces of text."""
    texts: list[object] = []
    gc.collect()
    begun = time.process_time()
    run(url, model, streams, texts.append)
    return {"cpu": time.process_time() - begun, "texts": len(texts)}


def measure_memory(run: Run, url: str, model: str, streams: int) -> JsonObject:
    """Bytes of memory that the streams take while all of them are open."""
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


def measure_delay(run: Run, url: str, model: str, streams: int) -> JsonObject:
    """Microseconds from the server's write to the callback with the first text."""
    delays: list[float] = []

    def on_text(text: object) -> None:
        now = time.monotonic_ns()
        found = _TIMESTAMP.search(text.decode() if isinstance(text, bytes) else str(text))
        if found is not None:
            delays.append((now - int(found[0])) / 1000)

    run(url, model, streams, on_text)
    return {"delay": delays[0]}


def profile(run: Run, url: str, model: str, streams: int) -> JsonObject:
    """The 40 functions with the most CPU time, as cProfile's text."""
    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(run, url, model, streams, lambda text: None)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).sort_stats("tottime").print_stats(40)
    return {"profile": text.getvalue()}


if __name__ == "__main__":
    main()
