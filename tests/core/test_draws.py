"""The random numbers of a flow."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modelwire.flow import Steps
from played_flow import ENTROPY, PlayedFlow
from toy_flows import CustomFlow


def draw_three_times(
    draw: Callable[[CustomFlow], object], entropy: bytes = ENTROPY, secret_entropy: bytes = b""
) -> list[object]:
    """The values of three draws of one flow."""
    drawn: list[object] = []

    def steps(flow: CustomFlow) -> Steps:
        drawn.extend(draw(flow) for _ in range(3))
        yield from flow.sleep(1)

    PlayedFlow(CustomFlow(steps=steps)).start(entropy, secret_entropy)
    return drawn


DRAWS: dict[str, Callable[[CustomFlow], object]] = {
    "nonce": lambda flow: flow.nonce(),
    "uuid": lambda flow: flow.uuid(),
    "random": lambda flow: flow.random(),
    "random_bytes": lambda flow: flow.random_bytes(20),
    "choice": lambda flow: flow.choice(range(10**9)),
    "secret_text": lambda flow: flow.secret_text("abcdefghij0123456789", 20),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_draws_come_from_the_entropy_alone_and_never_repeat(draw: Callable[[CustomFlow], object]) -> None:
    assert draw_three_times(draw) == draw_three_times(draw)
    assert len({*draw_three_times(draw), *draw_three_times(draw, b"other")}) == 6


def test_secret_draws_come_from_the_secret_entropy_alone() -> None:
    drawn = draw_three_times(DRAWS["secret_text"], secret_entropy=b"secret")
    assert drawn == draw_three_times(DRAWS["secret_text"], b"other", secret_entropy=b"secret")
    assert drawn != draw_three_times(DRAWS["secret_text"], secret_entropy=b"another secret")
    assert draw_three_times(DRAWS["nonce"], secret_entropy=b"secret") == draw_three_times(DRAWS["nonce"])


def test_secret_draws_are_of_the_alphabet_and_concealed() -> None:
    flow = CustomFlow(steps=lambda flow: flow.sleep(1))
    PlayedFlow(flow).start()
    text = flow.secret_text("xyz", 32)
    assert set(text) == set("xyz")
    assert len(text) == 32
    assert text in flow.secrets
