"""One scenario, what came of it over one transport, and everything that may not have come of it."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec

from modelwire.limits import MIB, Limits
from transports_under_test import Carrier

from .client import BROUGHT, Ask, Chat, Heard, Order, Work, perform
from .network import Address, local_network
from .server import FaultServer, Received, Response, Routes, Serving, say
from .sites import ANSWER, ISSUED, PICTURE, SITES, SUBMIT

# Seconds: the time that a scenario has, that of one that waits for its end, and how late an end may come. None of a
# flow's own pauses takes any.
TOTAL = 5.0
SHORT, UNHURRIED = 0.1, 1.0
LATENESS = 0.5
# How much longer everything takes while memory is counted.
WEIGHING = 3
# Bytes that a client may take beside three times the limit in force.
ROOM = 32 * MIB
LIMITS = Limits(body=MIB)
SECRETS = (*BROUGHT, *ISSUED)


class Result(NamedTuple):
    """What came of a scenario over one transport.

    `seconds` is how long it took, and `peak` how many bytes of memory at once; 0 where they were not counted.
    """

    scenario: Scenario
    heard: Heard
    requests: list[Received]
    strangers: list[Address]
    told_others: list[Received]
    seconds: float
    peak: int

    def to(self, path: str) -> list[Received]:
        """The requests to a path, and below it."""
        return [received for received in self.requests if received.path.startswith(path)]


Check = Callable[[Result], bool]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is asked, what the server does, and how a good client may end: `answer`, or kinds of failures.

    A provider's own routes are served where `serving` has none. `answer` is the text that is said, and what is shown is
    a beginning of it; None where there is no telling. `total` is seconds. `most` is how often one path may be asked
    for, and `submissions` how often what must not be repeated may be sent. `pauses` are the least and the most seconds
    of all pauses together. `names` and `public` are those of the network; `reaches` says that another origin is meant
    to be asked. `also` is what else must hold, by what would be complained of.
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
        """What the server serves, a provider's own routes included."""
        if callable(self.serving) or isinstance(self.work, Ask):
            return self.serving
        provider = self.work.provider if isinstance(self.work, Chat) else "arta"
        return {**SITES[provider], **self.serving}


def run(scenario: Scenario, carrier: Carrier, *, weigh: bool = True) -> Result:
    """Play a scenario over a transport. To weigh it is to count its memory, which takes as long as all the rest."""
    limits = msgspec.structs.replace(scenario.limits, total=scenario.total)
    with (
        FaultServer({"": say(PICTURE)}, other="") as other,
        FaultServer(scenario.whole_serving, other=other.url) as server,
        local_network(scenario.names, scenario.public) as connected,
    ):
        if weigh:
            tracemalloc.start()
        began = time.monotonic()
        heard = perform(scenario.work, carrier, server.url, limits=limits, pause=server.wait_until_settled)
        seconds = time.monotonic() - began
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    own = ("127.0.0.1", server.port)
    strangers = [address for address in connected if address != own and address[0] not in scenario.public]
    return Result(scenario, heard, server.requests, strangers, other.requests, seconds, peak)


def examine(scenario: Scenario, carrier: Carrier, *, weigh: bool = True) -> tuple[Result, list[str]]:
    """Play a scenario, and list what is wrong with the result.

    A machine that is busy may need more than the short time that most of the waiting is cut down to: what fails for
    want of time gets more of it, once.
    """
    result = run(scenario, carrier, weigh=weigh)
    found = list(complaints(result))
    if found and (scenario.total == SHORT or result.seconds > scenario.total):
        result = run(replace(scenario, total=max(scenario.total, UNHURRIED)), carrier, weigh=weigh)
        found = list(complaints(result))
    return result, found


def complaints(result: Result) -> Iterator[str]:
    """Everything that is wrong with a result."""
    scenario, heard = result.scenario, result.heard
    if heard.ending not in scenario.ends:
        yield f"ended with {heard.ending!r} and not with one of {sorted(scenario.ends)}: {heard.error}"
    yield from _wrong_words(result)
    yield from _wrong_requests(result)
    allowed = min(scenario.total, TOTAL) + LATENESS * (WEIGHING if result.peak else 1)
    if result.seconds > allowed:
        yield f"took {result.seconds:.2f} seconds, where {allowed:g} were allowed"
    if result.peak > 3 * scenario.limits.body + ROOM:
        yield f"took {result.peak / MIB:.0f} MiB of memory"
    if scenario.pauses is not None and not scenario.pauses[0] <= sum(heard.pauses) <= scenario.pauses[1]:
        yield f"paused for {heard.pauses} seconds"
    for complaint, holds in scenario.also.items():
        if not holds(result):
            yield complaint


def _wrong_words(result: Result) -> Iterator[str]:
    scenario, heard = result.scenario, result.heard
    if scenario.answer is not None:
        if not scenario.answer.startswith(heard.text):
            yield f"showed {heard.text[:200]!r}"
        if heard.ending == "answer" and _whole(heard) != scenario.answer:
            yield f"took {_whole(heard)[:200]!r} for the whole"
        if heard.failure is not None and heard.failure.text != heard.text:
            yield "the failure does not hold the text that was shown"
    told = str(heard.error)
    yield from (f"told the secret {secret!r}" for secret in SECRETS if secret in told)
    if not told.isprintable():
        yield f"told what a terminal would obey: {told!r}"


def _whole(heard: Heard) -> str:
    """The text or, where the right image came, what it stands for."""
    return ANSWER if heard.images and all(image.data == PICTURE for image in heard.images) else heard.text


def _wrong_requests(result: Result) -> Iterator[str]:
    if result.strangers:
        yield f"connected to {result.strangers}"
    if result.told_others and not result.scenario.reaches:
        yield f"asked another origin: {result.told_others}"
    for received in result.told_others:
        if any(secret.encode() in received.head + received.body for secret in SECRETS):
            yield f"told another origin a secret: {received}"
    counts = Counter((received.method, received.path) for received in result.requests)
    for (method, path), count in counts.items():
        if count > result.scenario.most:
            yield f"sent {method} {path} {count} times"
    if len(_unrepeatable(result)) > result.scenario.submissions:
        yield "repeated what must not be repeated"


def _unrepeatable(result: Result) -> list[Received]:
    work = result.scenario.work
    if isinstance(work, Ask):
        return [] if work.repeatable else result.requests
    return [received for received in result.requests if (received.method, received.path) == ("POST", SUBMIT)]


# The words in which the table is written.

ONE_REQUEST, ONE_ORDER = Ask(), Order()


def ends(kinds: str) -> frozenset[str]:
    """Kinds of ends, divided by blanks."""
    return frozenset(kinds.split())


def ask(name: str, response: Response | list[Response], kinds: str, work: Ask = ONE_REQUEST, **more: Any) -> Scenario:
    """One raw request, or several, that get this reply."""
    return Scenario(name=name, work=work, serving={"": response}, ends=ends(kinds), **more)


def chat(provider: str, name: str, serving: Routes, kinds: str, **more: Any) -> Scenario:
    """A question to a provider."""
    return Scenario(name=f"{provider}, {name}", work=Chat(provider), serving=serving, ends=ends(kinds), **more)


def order(name: str, serving: Routes, kinds: str, work: Order = ONE_ORDER, **more: Any) -> Scenario:
    """An order for an image."""
    return Scenario(name=name, work=work, serving=serving, ends=ends(kinds), **more)
