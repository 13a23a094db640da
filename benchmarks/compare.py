"""A few clients of event streams side by side, or the profile of each: for work on the speed of one of them.

python benchmarks/compare.py coalesced 10000 1 "raw sockets" "modelwire, h11"
python benchmarks/compare.py one-a-write 20 100 --profile "modelwire, h11, asyncio"
"""

from __future__ import annotations

import argparse

from report import table
from rounds import ROUNDS, interleave
from stream_clients import KINDS, stream_clients


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["coalesced", "one-a-write"])
    parser.add_argument("events", type=int, help="events of each stream")
    parser.add_argument("streams", type=int, help="streams at a time; a blocking client reads them one after the other")
    parser.add_argument("clients", nargs="+", choices=list(KINDS), metavar="CLIENT", help="; ".join(KINDS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--profile", action="store_true", help="print each client's profile instead")
    arguments = parser.parse_args()
    size = {"events": arguments.events, "streams": arguments.streams}
    with stream_clients(arguments.clients) as clients:
        if arguments.profile:
            for name in arguments.clients:
                clients.cost(name, arguments.mode, **size)()
                print(name, clients.ask(name, "profile", arguments.mode, **size)["profile"], sep="\n")
            return
        contestants = {name: clients.cost(name, arguments.mode, **size) for name in arguments.clients}
        costs = interleave(contestants, arguments.rounds)
    first = costs[arguments.clients[0]]
    rows = [[name, cost.median, cost.over(first)] for name, cost in costs.items()]
    print(table(["us of CPU an event", "median", "over the first"], rows))


if __name__ == "__main__":
    main()
