"""The cost of decoding an event stream, beside the decoders of other libraries and beside lower bounds.

    python benchmarks/event_streams.py

CPU time of the decoding alone: bytes in memory go in, events come out. The other libraries run in an environment of
their own. Streams of seven kinds are cut in six ways; then events grow from 64 KiB to 16 MiB; then the data of the
events is decoded from JSON too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from child_processes import ChildProcess
from machine import CLIENT_CORE
from peers import peer_python
from report import Goal, goals_table, options, publish, table
from rounds import ROUNDS, Costs, interleave
from stream_decoders import EVENT, EVENTS, KIB, OURS, PEERS, TEXT, WHOLE, event_of

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
# Bytes of a stream, by cut: smaller for the finest cuts, which take longest.
AMOUNTS: dict[str | int, int] = {16: 128 * KIB, 1: 64 * KIB}
AMOUNT = 1024 * KIB
SIZES = {"64 KiB": 64 * KIB, "1 MiB": KIB * KIB, "16 MiB": 16 * KIB * KIB}
GROWN_CUTS = {"64 B": 64, "1 KiB": KIB, "64 KiB": 64 * KIB}
NS = 1e9


class Cell(NamedTuple):
    """One kind of stream, cut in one way: the cost of each decoder, in nanoseconds an event."""

    kind: str
    cut: str
    costs: dict[str, Costs]

    def faster_than(self, peer: str) -> float:
        """The peer's cost divided by modelwire's."""
        return self.costs[peer].over(self.costs[MODELWIRE])


class Growth(NamedTuple):
    """Events of one shape, cut in one way: the cost by size of event, in nanoseconds a byte.

    `floor` is the cost of joining the pieces of a line. It grows too, as events no longer fit into the CPU's caches.
    """

    shape: str
    cut: str
    costs: dict[str, Costs]
    floor: dict[str, Costs]

    @staticmethod
    def between(costs: dict[str, Costs]) -> float:
        """The cost at 16 MiB divided by that at 64 KiB."""
        return costs["16 MiB"].over(costs["64 KiB"])


class Decoders:
    """The processes in which decoders run."""

    def __init__(self, ours: ChildProcess, peers: ChildProcess) -> None:
        self._processes = {**dict.fromkeys(OURS, ours), **dict.fromkeys(PEERS, peers)}

    def cost(
        self, decoder: str, kind: str, cut: str | int, *, amount: int = AMOUNT, size: int = 0, a_byte: bool = False
    ) -> Callable[[], float]:
        """A measurement: nanoseconds an event (or a byte) of a stream of about `amount` bytes."""
        length = len(event_of(kind, size))
        events = max(1, amount // length)
        parts = events * (length if a_byte else 1)

        def measure() -> float:
            request = {"decoder": decoder, "kind": kind, "size": size, "events": events, "cut": cut}
            seconds: float = self._processes[decoder].ask(**request)["seconds"]
            return seconds * NS / parts

        return measure


@contextmanager
def decoders() -> Iterator[Decoders]:
    """Start the processes of modelwire's decoder and of the peers'; they end with the block."""
    with ExitStack() as stack:
        script = "stream_decoders.py"
        ours = stack.enter_context(ChildProcess(script, core=CLIENT_CORE, python=sys.executable))
        peers = stack.enter_context(ChildProcess(script, core=CLIENT_CORE, python=peer_python()))
        yield Decoders(ours, peers)


def measure_cells(running: Decoders, rounds: int = ROUNDS) -> list[Cell]:
    """Measure every decoder on every kind of stream, cut in every way."""
    found = []
    for kind in EVENTS:
        for name, cut in CUTS.items():
            amount = AMOUNTS.get(cut, AMOUNT)
            names = (MODELWIRE, AS_TEXT, SPLIT, *PEERS)
            costs = interleave({n: running.cost(n, kind, cut, amount=amount) for n in names}, rounds)
            found.append(Cell(kind, name, costs))
    return found


def measure_growth(running: Decoders, rounds: int = ROUNDS) -> list[Growth]:
    """Measure events of one line and of many lines, of three sizes, cut in three ways."""
    found = []
    for kind, shape in {"line": "one line", "lines": "lines of 64 B"}.items():
        for name, cut in GROWN_CUTS.items():
            costs = [_by_size(running, decoder, kind, cut, rounds) for decoder in (MODELWIRE, JOIN)]
            found.append(Growth(shape, name, *costs))
    return found


def _by_size(running: Decoders, decoder: str, kind: str, cut: int, rounds: int) -> dict[str, Costs]:
    amount = max(SIZES.values())
    contestants = {
        label: running.cost(decoder, kind, cut, amount=amount, size=size, a_byte=True) for label, size in SIZES.items()
    }
    return interleave(contestants, rounds)


def measure_json(running: Decoders, rounds: int = ROUNDS) -> dict[str, Costs]:
    """Nanoseconds an event from bytes to typed JSON, for two cuts; and `json.loads` of the same data."""
    cuts: dict[str, str | int] = {"64 KiB": CUTS["64 KiB"], "one event": EVENT}
    contestants = {name: running.cost(TYPED, "chat", cut) for name, cut in cuts.items()}
    return interleave({**contestants, LOADS: running.cost(LOADS, "chat", TEXT)}, rounds)


def goals(cells: Sequence[Cell], growth: Sequence[Growth], typed: dict[str, Costs]) -> Iterator[Goal]:
    chat = {cell.cut: cell for cell in cells if cell.kind == "chat"}
    for cut, least in {"64 KiB": 4.0, "one event": 2.5, "16 B": 1.1}.items():
        slowest = min(PEERS, key=chat[cut].faster_than)
        yield Goal(f"chat, {cut}: {slowest} over modelwire", chat[cut].faster_than(slowest), least, is_least=True)
    yield Goal("chat, 64 KiB: modelwire over bytes.split", 1 / chat["64 KiB"].faster_than(SPLIT), 1.3)
    worst, peer = min(((cell, peer) for cell in cells for peer in PEERS), key=lambda pair: pair[0].faster_than(pair[1]))
    yield Goal(
        f"the lowest ratio of all: {worst.kind}, {worst.cut}: {peer} over modelwire",
        worst.faster_than(peer),
        1.0,
        is_least=True,
    )
    for each in growth:
        yield Goal(f"16 MiB over 64 KiB, a byte: {each.shape}, cut to {each.cut}", each.between(each.costs), 1.5)
    for cut, most in {"64 KiB": 0.35, "one event": 0.55}.items():
        yield Goal(f"bytes to typed JSON over json.loads alone: {cut}", typed[cut].over(typed[LOADS]), most)


def main() -> None:
    chosen = options(__doc__)
    with decoders() as running:
        cells = measure_cells(running, chosen.rounds)
        growth = measure_growth(running, chosen.rounds)
        typed = measure_json(running, chosen.rounds)
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
    publish("event_streams", parts, chosen)


if __name__ == "__main__":
    main()
