"""Every scenario of `faults` over every transport, on real sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.scenario import ROOM, Scenario, examine
from faults.table import BULKY, SCENARIOS, VARIANTS
from modelwire.limits import DEFAULT_LIMITS
from transport_variants import TransportVariant

# Counting memory doubles the time, so a scenario with little data is weighed over one transport only.
WEIGH_ALL = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


@pytest.mark.parametrize(("number", "scenario"), [*enumerate(SCENARIOS)], ids=map(str, SCENARIOS))
def test_a_good_client(number: int, scenario: Scenario) -> None:
    wrong: dict[str, list[str]] = {}
    for turn, variant in enumerate(VARIANTS):
        weigh = WEIGH_ALL or scenario.group in BULKY or turn == number % len(VARIANTS)
        _, complaints = examine(scenario, variant, weigh=weigh)
        if complaints:
            wrong[str(variant)] = complaints
    assert wrong == {}


def test_each_scenario_has_its_own_name() -> None:
    assert len(set(map(str, SCENARIOS))) == len(SCENARIOS) >= 150


def test_a_bomb_does_not_fill_the_memory_of_the_process() -> None:
    """The system counts all memory of a separate process, also what tracemalloc misses."""
    runner = Path(__file__).parent / "faults"
    command = [sys.executable, str(runner), "--only", "gzip bomb against the default limits", "--rss"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(ran.stdout.split()[-1]) < 3 * DEFAULT_LIMITS.body + ROOM


@pytest.mark.parametrize("name", ["urllib", "urllib3"])
def test_http_client_refuses_a_coding_after_a_control_character(name: str) -> None:
    """If the control character is stripped, `http.client` gives the undecoded chunks as the body."""
    (scenario,) = (each for each in SCENARIOS if each.name == "chunked after a control character")
    assert examine(scenario, TransportVariant(name, "blocking"))[1] == []
