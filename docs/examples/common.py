"""The parts of the examples that do not depend on the loop: a clock, TLS, flows, and a user."""

from __future__ import annotations

import argparse
import math
import ssl
import sys
from collections.abc import Callable, Iterator

from modelwire.commands import Evaluate, OpenPage
from modelwire.errors import Failure
from modelwire.flow import Flow
from modelwire.limits import Limits
from modelwire.outputs import ImageReady, Output, StatusChanged, TextDelta
from modelwire.provider import with_base_url
from modelwire.providers.arta import ArtaCredentials, ArtaEndpoints, ArtaImage, ArtaOptions
from modelwire.providers.cromicle import CromicleChat, CromicleEndpoints
from modelwire.providers.hailuo import HailuoChat, HailuoCredentials, HailuoEndpoints
from modelwire_io.clock import SystemClock

# Unix time in seconds, anchored to the wall clock once, so that it does not jump if that is set.
now = SystemClock().now

TLS = ssl.create_default_context()


def left(moment: float) -> float:
    """Seconds until `moment`, or 0 if it has passed."""
    return max(0.0, moment - now())


class Task:
    """A flow and its user, who presses Stop after `most` pieces of text.

    The loop sets `stop`, the action of that button.
    """

    def __init__(self, title: str, flow: Flow, *, most: float = math.inf) -> None:
        self.title = title
        self.flow = flow
        self.stop: Callable[[], object] = lambda: None
        self.failure: Failure | None = None
        self._most = most
        self._seen = 0

    @property
    def went_well(self) -> bool:
        """True if the flow ended as intended."""
        kind = None if self.failure is None else self.failure.kind
        return kind == ("cancelled" if self._most < math.inf else None)

    def show(self, output: Output | OpenPage | Evaluate) -> None:
        """Print an output. Only logins open pages, so chats and image jobs do not."""
        match output:
            case TextDelta(text):
                print(text, end="", flush=True)
                self._seen += 1
                if self._seen == self._most:
                    self.stop()
            case StatusChanged(_, text):
                print(text, flush=True)
            case ImageReady(url, _):
                print(url, flush=True)
            case _:
                pass  # credentials and conversations, which this program does not store

    def done(self, failure: Failure | None) -> None:
        """Print how the flow ended."""
        self.failure = failure
        print(
            "\n[done]" if failure is None else f"\n[{failure.kind}: {failure.message}]", flush=True
        )


def tasks() -> Iterator[Task]:
    """A chat, an image job, and a chat stopped midway. Exits with status 1 if one went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", help="the URL of `modelwire emulate`")
    parser.add_argument("--prompt", default="Hello")
    parser.add_argument("--timeout", type=float, help="seconds for each flow")
    parser.add_argument("--idle", type=float, default=120.0, help="seconds without content")
    parser.add_argument("--silence", type=float, default=60.0, help="seconds without a byte")
    parser.add_argument("--tries", type=int, default=3, help="sendings of one request")
    given = parser.parse_args()
    limits = Limits(total=given.timeout, idle=given.idle, silence=given.silence, tries=given.tries)
    every = [
        Task(
            "A chat with Hailuo",
            HailuoChat(
                messages=given.prompt,
                limits=limits,
                endpoints=with_base_url(HailuoEndpoints(), f"{given.url}/hailuo"),
                credentials=HailuoCredentials(token="emulated-token"),
            ),
        ),
        Task(
            "An image by ARTA",
            ArtaImage(
                prompt=given.prompt,
                limits=limits,
                endpoints=with_base_url(ArtaEndpoints(), f"{given.url}/arta"),
                credentials=ArtaCredentials(api_key="emulated-key"),
                options=ArtaOptions(poll_interval=0.1),
            ),
        ),
        Task(
            "A chat with Cromicle, stopped midway",
            CromicleChat(
                messages=given.prompt,
                limits=limits,
                endpoints=with_base_url(CromicleEndpoints(), f"{given.url}/cromicle"),
            ),
            most=3,
        ),
    ]
    for task in every:
        print(f"--- {task.title}", flush=True)
        yield task
    if not all(task.went_well for task in every):
        sys.exit(1)
