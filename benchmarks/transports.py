"""The cost of a streamed event over each of modelwire's transports, blocking, on asyncio and on trio.

One stream of events of about 250 bytes, coalesced (each read brings many) and one a write; beside sockets with a reader
of HTTP chunks that checks nothing. CPU time of the client alone, from connecting to the end of the stream. The table is
in docs/transports.md.

    python benchmarks/transports.py
"""

from __future__ import annotations

from report import DOCS, options, publish, table
from rounds import interleave
from stream_clients import FLOOR, TRANSPORT_KINDS, TRANSPORTS, stream_clients

# How events arrive, and how many.
MODES = {"coalesced": 10_000, "one-a-write": 1_000}
LOOPS = {"": "blocking", "asyncio": "asyncio", "trio": "trio"}


def main() -> None:
    chosen = options(__doc__)
    names = [FLOOR, *TRANSPORT_KINDS]
    with stream_clients(names) as clients:
        measured = {
            mode: interleave({name: clients.cost(name, mode, events=events) for name in names}, chosen.rounds)
            for mode, events in MODES.items()
        }
    costs = {name: [found[name].median for found in measured.values()] for name in names}
    head = [f"{loop}, {how}" for how in ("coalesced", "one a write") for loop in LOOPS.values()]
    rows = [
        [f"`{name}`", *(cell(costs, name, loop, mode) for mode in range(2) for loop in LOOPS)] for name in TRANSPORTS
    ]
    floor = [FLOOR, costs[FLOOR][0], "", "", costs[FLOOR][1], "", ""]
    publish("transports", [table(["us of CPU an event", *head], [floor, *rows])], chosen, page=DOCS / "transports.md")


def cell(costs: dict[str, list[float]], name: str, loop: str, mode: int) -> float | str:
    """A cell of the table: the cost of a transport on a loop, empty if it does not run there."""
    found = costs.get(f"{name} {loop}".strip())
    return "" if found is None else found[mode]


if __name__ == "__main__":
    main()
