"""A scenario, its result over one transport, and the checks of a result."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec

from modelwire.limits import MIB, Limits
from transport_variants import TransportVariant

from .client import SUPPLIED, Ask, Chat, Observed, Order, Work, perform
from .network import Address, local_network
from .server import FaultServer, Received, Response, Routes, Serving, say
from .sites import ANSWER, ISSUED, PICTURE, SITES, SUBMIT

# Seconds: the total time of a flow. Its own pauses are skipped.
TOTAL = 5.0
# Seconds: the total time of a flow that should time out, and the one of its second run on a busy machine.
SHORT, UNHURRIED = 0.1, 1.0
# Seconds: how late a flow may end.
LATENESS = 0.5
# Factor: how much slower everything is while memory is counted.
WEIGHING = 3
# Bytes: memory that a client may use beyond three times its limit of a body.
ROOM = 32 * MIB
LIMITS = Limits(body=MIB)
SECRETS = (*SUPPLIED, *ISSUED)


class Result(NamedTuple):
    """The result of a scenario over one transport.

    `seconds` is its duration. `peak` is its peak memory in bytes, or 0 if memory was not counted.
    """

    scenario: Scenario
    observed: Observed
    requests: list[Received]
    foreign_addresses: list[Address]
    sent_elsewhere: list[Received]
    seconds: float
    peak: int

    def to(self, path: str) -> list[Received]:
        """The requests to a path, and to paths below it."""
        return [received for received in self.requests if received.path.startswith(path)]


Check = Callable[[Result], bool]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The client's work, the server's behaviour, and the endings of a good client: `answer`, or kinds of failures.

    `serving` replaces some of a provider's own routes. `answer` is the text that the server sends: the shown text must
    be a beginning of it; None if any text may be shown. `total` is in seconds. `most` is the most requests to one path,
    `submissions` the most requests that must not be repeated. `pauses` are the least and the most seconds of all pauses
    together. `names` and `public` are arguments of `local_network`. `reaches` allows requests to the other server.
    `also` maps complaints to further checks.
    """

    name: str
    work: Work
    serving: Serving
    ends: frozenset[str]
    group: str = ""
    answer: str | None = ANSWER
    total: float = TOTAL
    limits: Limits = LIMITS
    most: int = 3
    submissions: int = 1
    pauses: tuple[float, float] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    public: tuple[str, ...] = ()
    reaches: bool = False
    also: Mapping[str, Check] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.group}: {self.name}"

    @property
    def whole_serving(self) -> Serving:
        """Everything that the server serves, with a provider's own routes."""
        if callable(self.serving) or isinstance(self.work, Ask):
            return self.serving
        provider = self.work.provider if isinstance(self.work, Chat) else "arta"
        return {**SITES[provider], **self.serving}


def run(scenario: Scenario, variant: TransportVariant, *, weigh: bool = True) -> Result:
    """Play a scenario over a transport. `weigh` counts memory, which doubles the time."""
    limits = msgspec.structs.replace(scenario.limits, total=scenario.total)
    with (
        FaultServer({"": say(PICTURE)}, other="") as other,
        FaultServer(scenario.whole_serving, other=other.url) as server,
        local_network(scenario.names, scenario.public) as connected,
    ):
        if weigh:
            tracemalloc.start()
        began = time.monotonic()
        observed = perform(scenario.work, variant, server.url, limits=limits, pause=server.wait_until_settled)
        seconds = time.monotonic() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    own = ("127.0.0.1", server.port)
    foreign_addresses = [address for address in connected if address != own and address[0] not in scenario.public]
    return Result(scenario, observed, server.requests, foreign_addresses, other.requests, seconds, peak)


def examine(scenario: Scenario, variant: TransportVariant, *, weigh: bool = True) -> tuple[Result, list[str]]:
    """Play a scenario, and list what is wrong with the result.

    On a busy machine the short total times may not suffice: such a scenario is played once more, with more time.
    """
    result = run(scenario, variant, weigh=weigh)
    found = list(complaints(result))
    if found and (scenario.total == SHORT or result.seconds > scenario.total):
        result = run(replace(scenario, total=max(scenario.total, UNHURRIED)), variant, weigh=weigh)
        found = list(complaints(result))
    return result, found


def complaints(result: Result) -> Iterator[str]:
    """Everything that is wrong with a result."""
    scenario, observed = result.scenario, result.observed
    if observed.ending not in scenario.ends:
        yield f"ended with {observed.ending!r} and not with one of {sorted(scenario.ends)}: {observed.error}"
    yield from _wrong_words(result)
    yield from _wrong_requests(result)
    allowed = min(scenario.total, TOTAL) + LATENESS * (WEIGHING if result.peak else 1)
    if result.seconds > allowed:
        yield f"took {result.seconds:.2f} seconds, more than {allowed:g}"
    if result.peak > 3 * scenario.limits.body + ROOM:
        yield f"took {result.peak / MIB:.0f} MiB of memory"
    if scenario.pauses is not None and not scenario.pauses[0] <= sum(observed.pauses) <= scenario.pauses[1]:
        yield f"paused for {observed.pauses} seconds"
    for complaint, holds in scenario.also.items():
        if not holds(result):
            yield complaint


def _wrong_words(result: Result) -> Iterator[str]:
    scenario, observed = result.scenario, result.observed
    if scenario.answer is not None:
        if not scenario.answer.startswith(observed.text):
            yield f"showed {observed.text[:200]!r}"
        if observed.ending == "answer" and _whole(observed) != scenario.answer:
            yield f"ended well with {_whole(observed)[:200]!r}"
        if observed.failure is not None and observed.failure.text != observed.text:
            yield "the failure does not hold the text that was shown"
    message = str(observed.error)
    yield from (f"showed the secret {secret!r}" for secret in SECRETS if secret in message)
    if not message.isprintable():
        yield f"showed control characters: {message!r}"


def _whole(observed: Observed) -> str:
    """The text, or `ANSWER` if the right image was downloaded."""
    return ANSWER if observed.images and all(image.data == PICTURE for image in observed.images) else observed.text


def _wrong_requests(result: Result) -> Iterator[str]:
    if result.foreign_addresses:
        yield f"connected to {result.foreign_addresses}"
    if result.sent_elsewhere and not result.scenario.reaches:
        yield f"sent requests to another origin: {result.sent_elsewhere}"
    for received in result.sent_elsewhere:
        if any(secret.encode() in received.head + received.body for secret in SECRETS):
            yield f"sent a secret to another origin: {received}"
    counts = Counter((received.method, received.path) for received in result.requests)
    for (method, path), count in counts.items():
        if count > result.scenario.most:
            yield f"sent {method} {path} {count} times"
    if len(_unrepeatable(result)) > result.scenario.submissions:
        yield "repeated a request that must not be repeated"


def _unrepeatable(result: Result) -> list[Received]:
    work = result.scenario.work
    if isinstance(work, Ask):
        return [] if work.repeatable else result.requests
    return [received for received in result.requests if (received.method, received.path) == ("POST", SUBMIT)]


# Shorthands for the table.

ONE_REQUEST, ONE_ORDER = Ask(), Order()


def ends(kinds: str) -> frozenset[str]:
    """A set of endings, from a text with blanks."""
    return frozenset(kinds.split())


def ask(name: str, response: Response | list[Response], kinds: str, work: Ask = ONE_REQUEST, **more: Any) -> Scenario:
    """Plain requests that get this response."""
    return Scenario(name=name, work=work, serving={"": response}, ends=ends(kinds), **more)


def chat(provider: str, name: str, serving: Routes, kinds: str, **more: Any) -> Scenario:
    """A chat with a provider."""
    return Scenario(name=f"{provider}, {name}", work=Chat(provider), serving=serving, ends=ends(kinds), **more)


def order(name: str, serving: Routes, kinds: str, work: Order = ONE_ORDER, **more: Any) -> Scenario:
    """A job for an image."""
    return Scenario(name=name, work=work, serving=serving, ends=ends(kinds), **more)
