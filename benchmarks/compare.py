"""A few clients of event streams side by side, or the profile of each: for whoever makes one of them faster.

python benchmarks/compare.py coalesced 10000 1 "raw sockets" "modelwire, h11"
python benchmarks/compare.py written 20 100 --profile "modelwire, h11, asyncio"
"""

from __future__ import annotations

import argparse

from report import table
from rounds import ROUNDS, interleave
from stream_clients import KINDS, stream_clients


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["coalesced", "written"])
    parser.add_argument("events", type=int, help="of each stream")
    parser.add_argument("streams", type=int, help="at a time; a client that is not concurrent reads one alone")
    parser.add_argument("clients", nargs="+", choices=list(KINDS), metavar="CLIENT", help="; ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--profile", action="store_true", help="say where the time goes instead")
    told = parser.parse_args()
    size = {"events": told.events, "streams": told.streams}
    with stream_clients(told.clients) as clients:
        if told.profile:
            for name in told.clients:
                clients.cost(name, told.mode, **size)()
                print(name, clients.ask(name, "profile", told.mode, **size)["profile"], sep="\n")
            return
        costs = interleave({name: clients.cost(name, told.mode, **size) for name in told.clients}, told.rounds)
    first = costs[told.clients[0]]
    print(
        table(
            ["us of CPU an event", "median", "over the first"], [[n, c.median, c.over(first)] for n, c in costs.items()]
        )
    )


if __name__ == "__main__":
    main()
