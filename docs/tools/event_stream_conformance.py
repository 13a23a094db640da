"""Runs the rules of event streams over modelwire's decoder and those of other libraries: `docs/conformance.md`.

    python docs/tools/event_stream_conformance.py                  write the page
    python docs/tools/event_stream_conformance.py --show NAME      show the cases that a library decodes differently

The rules are in `tests/support/event_stream_rules.py`. The other libraries have separate environments:
`benchmarks/peers.py` makes the one for Python, npm the one for JavaScript.
"""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

import modelwire  # noqa: E402
from event_stream_rules import LONGEST_RETRY, RULES, Case, all_cases  # noqa: E402
from modelwire.sse import EventStreamDecoder  # noqa: E402

PAGE = DOCS / "conformance.md"
MARK = "<!-- All below is written by docs/tools/event_stream_conformance.py. -->\n"
EVENTSOURCE_PARSER = "4.1.3"
OURS = "modelwire"
CASES = dict(all_cases())


class Reading(NamedTuple):
    """The result of a stream. The time and the last id are None if the decoder cannot report them."""

    events: tuple[tuple[str, ...], ...]
    retry: object
    last_event_id: str | None
    error: str | None = None


class Library(NamedTuple):
    """A decoder: how it is called, and its result for each cut of each case."""

    name: str
    version: str
    call: str
    readings: list[list[Reading]]

    def wrong(self) -> Iterator[tuple[str, Reading]]:
        """The cases that it decodes differently, with the first different result."""
        for (name, case), readings in zip(CASES.items(), self.readings, strict=True):
            for reading in readings:
                if not is_right(reading, case):
                    yield name, reading
                    break


def is_right(reading: Reading, case: Case) -> bool:
    """True if a result is what the standard says, as far as the decoder reports it."""
    retry = reading.retry
    # A decoder that reports times only with an event cannot report one that no event follows.
    if retry is None and (not case.events or b"retry" in case.stream.rpartition(b"\n\n")[2]):
        retry = case.retry
    if isinstance(retry, int | float):
        retry = min(retry, LONGEST_RETRY)
    return (
        reading.error is None
        and reading.events == case.events
        and retry == case.retry
        and reading.last_event_id in (None, case.last_event_id)
    )


def places_to_cut(stream: bytes) -> list[list[int]]:
    """Cuts of a stream: none, at every byte, and at one byte (at some of them if the stream is long)."""
    once = range(1, len(stream)) if len(stream) < 200 else [*range(1, 30), *range(len(stream) - 30, len(stream))]
    return [[], list(range(1, len(stream))), *([place] for place in once)]


def ours() -> Library:
    """Modelwire's own decoder."""
    readings = [[_read(case.stream, places) for places in places_to_cut(case.stream)] for case in CASES.values()]
    return Library(OURS, modelwire.__version__, "`EventStreamDecoder().feed(data)`", readings)


def _read(stream: bytes, places: list[int]) -> Reading:
    decoder = EventStreamDecoder()
    pieces = [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]
    events = tuple((e.event, e.data, e.id) for piece in pieces for e in decoder.feed(piece))
    return Reading(events, decoder.retry, decoder.last_event_id)


def theirs() -> Iterator[Library]:
    """Every other library that can be installed here."""
    python = import_module("peers").peer_python()
    yield from _ask([str(python), str(Path(__file__).parent / "conformance" / "python_decoders.py")])
    package = _npm_package()
    if package is not None:
        yield from _ask(["node", str(Path(__file__).parent / "conformance" / "eventsource_parser.mjs"), str(package)])


def _npm_package() -> Path | None:
    """Install eventsource-parser if it is missing. Returns its folder, or None if that fails."""
    folder = ROOT / ".venv-peers-node"
    package = folder / "node_modules" / "eventsource-parser"
    wanted = f"eventsource-parser@{EVENTSOURCE_PARSER}"
    try:
        if not package.exists() or json.loads((package / "package.json").read_text())["version"] != EVENTSOURCE_PARSER:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            subprocess.run(["npm", "install", "--silent", "--prefix", str(folder), wanted], check=True, timeout=300)
        subprocess.run(["node", "--version"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{wanted} is left out: {error}", file=sys.stderr)
        return None
    return package


def _ask(command: Sequence[str]) -> Iterator[Library]:
    questions = [
        {"stream": base64.b64encode(case.stream).decode(), "cuts": places_to_cut(case.stream)}
        for case in CASES.values()
    ]
    answer = subprocess.run(command, input=json.dumps(questions), capture_output=True, text=True, timeout=600)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    for name, result in json.loads(answer.stdout).items():
        yield Library(
            name, result["version"], result["call"], [[_reading(r) for r in each] for each in result["readings"]]
        )


def _reading(result: dict[str, Any]) -> Reading:
    return Reading(tuple(tuple(event) for event in result["events"]), result["retry"], None, result["error"])


# The page.


def page_part(libraries: Sequence[Library]) -> str:
    """The measured part of the page, as Markdown."""
    wrong = {library.name: {name for name, _ in library.wrong()} for library in libraries}
    heads = [f"{library.name} {library.version}" for library in libraries]
    lines = [_row(["Rule", "Cases", *heads]), "|---|--:|" + "--:|" * len(libraries)]
    for rule in RULES:
        names = {f"{rule.name}: {case.name}" for case in rule.cases}
        cells = [_cell(len(names - wrong[library.name]), len(names)) for library in libraries]
        lines.append(_row([rule.name, str(len(names)), *cells]))
    cells = [_cell(len(CASES) - len(wrong[library.name]), len(CASES)) for library in libraries]
    lines += [_row(["**all**", str(len(CASES)), *cells]), "", "## The rules", ""]
    lines += [f"- **{rule.name}.** {rule.says}" for rule in RULES]
    lines += ["", "## What is read otherwise", ""]
    for library in libraries:
        lines += [f"**{library.name}**, called as {library.call}:", "", *_listed(wrong[library.name]), ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(right: int, cases: int) -> str:
    return "all" if right == cases else str(right)


def _listed(wrong: set[str]) -> Iterator[str]:
    if not wrong:
        yield "- nothing"
    for rule in RULES:
        cases = [case.name for case in rule.cases if f"{rule.name}: {case.name}" in wrong]
        if cases:
            yield f"- {rule.name}: {'; '.join(cases)}"


def main(arguments: Sequence[str]) -> None:
    """Write the page, or show the differences of one library."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--show", metavar="NAME")
    asked = parser.parse_args(arguments)
    libraries = [ours(), *theirs()]
    if asked.show:
        shown = [library for library in libraries if library.name == asked.show]
        if not shown:
            parser.error(f"no library of that name: {', '.join(library.name for library in libraries)}")
        _show(*shown)
        return
    intro, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{PAGE} has lost the line {MARK!r}")
    PAGE.write_text(f"{intro}{mark}\n{page_part(libraries)}", encoding="utf-8")


def _show(library: Library) -> None:
    for name, reading in library.wrong():
        case = CASES[name]
        print(f"{name}\n  stream   {case.stream[:100]!r}")
        print(f"  expected {case.events!r:.200} {case.retry}")
        print(f"  came     {reading.events!r:.200} {reading.retry} {reading.error or ''}")


if __name__ == "__main__":
    main(sys.argv[1:])
