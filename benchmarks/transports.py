"""What a streamed event costs over each of modelwire's transports, in each style.

Events of about 250 bytes, coalesced by the kernel and one a write, one stream; beside sockets with a reader of HTTP
chunks that checks nothing. CPU time of the client alone, from connecting to the end of the stream.

    python benchmarks/transports.py
"""

from __future__ import annotations

from report import DOCS, options, publish, table
from rounds import interleave
from stream_clients import FLOOR, TRANSPORT_KINDS, TRANSPORTS, stream_clients

# How events come, and how many.
MODES = {"coalesced": 10_000, "written": 1_000}
STYLES = {"": "blocking", "asyncio": "asyncio", "trio": "trio"}


def main() -> None:
    """Measure, print, and write it down."""
    told = options(__doc__)
    names = [FLOOR, *TRANSPORT_KINDS]
    with stream_clients(names) as clients:
        measured = {
            mode: interleave({name: clients.cost(name, mode, events=events) for name in names}, told.rounds)
            for mode, events in MODES.items()
        }
    costs = {name: [found[name].median for found in measured.values()] for name in names}
    head = [f"{style}, {how}" for how in ("coalesced", "one a write") for style in STYLES.values()]
    rows = [
        [f"`{name}`", *(cell(costs, name, style, mode) for mode in range(2) for style in STYLES)] for name in TRANSPORTS
    ]
    floor = [FLOOR, costs[FLOOR][0], "", "", costs[FLOOR][1], "", ""]
    publish("transports", [table(["us of CPU an event", *head], [floor, *rows])], told, page=DOCS / "transports.md")


def cell(costs: dict[str, list[float]], name: str, style: str, mode: int) -> float | str:
    """The cost of a transport in a style, if it has that."""
    found = costs.get(f"{name} {style}".strip())
    return "" if found is None else found[mode]


if __name__ == "__main__":
    main()
