"""What decoding an event stream costs, beside the decoders of other libraries and beside what no decoder can beat.

    python benchmarks/event_streams.py

CPU time of the decoding alone: bytes in memory go in, events come out. Everything but modelwire runs in an environment
of its own. Streams of seven kinds are cut in six ways; then events grow from 64 KiB to 16 MiB, and the data is JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from machine import CLIENT_CORE
from peers import peer_python
from report import Goal, goals_table, options, publish, table
from rounds import ROUNDS, Costs, interleave
from stream_decoders import EVENT, EVENTS, KIB, OURS, PEERS, TEXT, WHOLE, event_of
from workers import Worker

MODELWIRE, AS_TEXT, TYPED, LOADS = "modelwire", "modelwire, text", "modelwire, typed JSON", "json.loads"
SPLIT, JOIN = "bytes.split", "bytes.join"
CUTS: dict[str, str | int] = {
    "whole": WHOLE,
    "64 KiB": 64 * KIB,
    "4 KiB": 4 * KIB,
    "one event": EVENT,
    "16 B": 16,
    "1 B": 1,
}
# Bytes of a stream, by how small it is cut: enough to measure, and not more.
AMOUNTS: dict[str | int, int] = {16: 128 * KIB, 1: 64 * KIB}
AMOUNT = 1024 * KIB
SIZES = {"64 KiB": 64 * KIB, "1 MiB": KIB * KIB, "16 MiB": 16 * KIB * KIB}
GROWN_CUTS = {"64 B": 64, "1 KiB": KIB, "64 KiB": 64 * KIB}
NS = 1e9


class Cell(NamedTuple):
    """A kind of stream, cut in one way; what each decoder takes of it, in nanoseconds an event."""

    kind: str
    cut: str
    costs: dict[str, Costs]

    def faster_than(self, peer: str) -> float:
        """How many times as fast modelwire is."""
        return self.costs[peer].over(self.costs[MODELWIRE])


class Growth(NamedTuple):
    """Events of one shape, cut in one way; what they take by their size, in nanoseconds a byte.

    `floor` is what joining the pieces of a line takes: it grows as well, as events leave the processor's caches.
    """

    shape: str
    cut: str
    costs: dict[str, Costs]
    floor: dict[str, Costs]

    @staticmethod
    def between(costs: dict[str, Costs]) -> float:
        """From the least to the largest."""
        return costs["16 MiB"].over(costs["64 KiB"])


class Decoders:
    """The processes in which decoders run."""

    def __init__(self, ours: Worker, peers: Worker) -> None:
        self._workers = {**dict.fromkeys(OURS, ours), **dict.fromkeys(PEERS, peers)}

    def cost(
        self, decoder: str, kind: str, cut: str | int, *, amount: int = AMOUNT, size: int = 0, a_byte: bool = False
    ) -> Callable[[], float]:
        """What asks for nanoseconds an event, or a byte, of a stream of about that amount."""
        length = len(event_of(kind, size))
        events = max(1, amount // length)
        parts = events * (length if a_byte else 1)

        def ask() -> float:
            asked = {"decoder": decoder, "kind": kind, "size": size, "events": events, "cut": cut}
            seconds: float = self._workers[decoder].ask(**asked)["seconds"]
            return seconds * NS / parts

        return ask


@contextmanager
def decoders() -> Iterator[Decoders]:
    """All of them, until the end of the block."""
    with ExitStack() as stack:
        script = "stream_decoders.py"
        ours = stack.enter_context(Worker(script, core=CLIENT_CORE, python=sys.executable))
        peers = stack.enter_context(Worker(script, core=CLIENT_CORE, python=peer_python()))
        yield Decoders(ours, peers)


def measure_cells(asked: Decoders, rounds: int = ROUNDS) -> list[Cell]:
    """Every kind of stream, cut in every way, by every decoder."""
    found = []
    for kind in EVENTS:
        for name, cut in CUTS.items():
            amount = AMOUNTS.get(cut, AMOUNT)
            names = (MODELWIRE, AS_TEXT, SPLIT, *PEERS)
            costs = interleave({n: asked.cost(n, kind, cut, amount=amount) for n in names}, rounds)
            found.append(Cell(kind, name, costs))
    return found


def measure_growth(asked: Decoders, rounds: int = ROUNDS) -> list[Growth]:
    """Events of one line and of many, of three sizes, cut in three ways."""
    found = []
    for kind, shape in {"line": "one line", "lines": "lines of 64 B"}.items():
        for name, cut in GROWN_CUTS.items():
            costs = [_by_size(asked, decoder, kind, cut, rounds) for decoder in (MODELWIRE, JOIN)]
            found.append(Growth(shape, name, *costs))
    return found


def _by_size(asked: Decoders, decoder: str, kind: str, cut: int, rounds: int) -> dict[str, Costs]:
    amount = max(SIZES.values())
    contestants = {
        label: asked.cost(decoder, kind, cut, amount=amount, size=size, a_byte=True) for label, size in SIZES.items()
    }
    return interleave(contestants, rounds)


def measure_json(asked: Decoders, rounds: int = ROUNDS) -> dict[str, Costs]:
    """From bytes to typed JSON, in nanoseconds an event, by how they are cut; and `json.loads` of the same data."""
    cuts: dict[str, str | int] = {"64 KiB": CUTS["64 KiB"], "one event": EVENT}
    contestants = {name: asked.cost(TYPED, "chat", cut) for name, cut in cuts.items()}
    return interleave({**contestants, LOADS: asked.cost(LOADS, "chat", TEXT)}, rounds)


def goals(cells: Sequence[Cell], growth: Sequence[Growth], typed: dict[str, Costs]) -> Iterator[Goal]:
    """What is to be reached."""
    chat = {cell.cut: cell for cell in cells if cell.kind == "chat"}
    for cut, least in {"64 KiB": 4.0, "one event": 2.5, "16 B": 1.1}.items():
        slowest = min(PEERS, key=chat[cut].faster_than)
        yield Goal(f"chat, {cut}: {slowest} over modelwire", chat[cut].faster_than(slowest), least, is_least=True)
    yield Goal("chat, 64 KiB: modelwire over bytes.split", 1 / chat["64 KiB"].faster_than(SPLIT), 1.3)
    worst, peer = min(((cell, peer) for cell in cells for peer in PEERS), key=lambda pair: pair[0].faster_than(pair[1]))
    yield Goal(f"the worst of all: {worst.kind}, {worst.cut}: {peer}", worst.faster_than(peer), 1.0, is_least=True)
    for each in growth:
        yield Goal(f"16 MiB over 64 KiB, a byte: {each.shape}, cut to {each.cut}", each.between(each.costs), 1.5)
    for cut, most in {"64 KiB": 0.35, "one event": 0.55}.items():
        yield Goal(f"bytes to typed JSON over json.loads alone: {cut}", typed[cut].over(typed[LOADS]), most)


def main() -> None:
    """Measure, print, and write it down."""
    told = options(__doc__)
    with decoders() as asked:
        cells = measure_cells(asked, told.rounds)
        growth = measure_growth(asked, told.rounds)
        typed = measure_json(asked, told.rounds)
    names = list(cells[0].costs)
    parts = [
        table(
            ["ns of CPU an event", "cut", *names],
            [[cell.kind, cell.cut, *(cell.costs[name].median for name in names)] for cell in cells],
        ),
        table(
            ["ns of CPU a byte", "cut", *SIZES, "growth", f"growth of {JOIN}"],
            [
                [each.shape, each.cut, *(each.costs[size].median for size in SIZES), *map(each.between, each[2:])]
                for each in growth
            ],
        ),
        table(["ns of CPU an event", *typed], [["bytes to typed JSON", *(cost.median for cost in typed.values())]]),
        goals_table(goals(cells, growth, typed)),
    ]
    publish("event_streams", parts, told)


if __name__ == "__main__":
    main()
