"""Every scenario of `faults`, over every transport: what a good client makes of it, on real sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.scenario import ROOM, Scenario, examine
from faults.table import BULKY, CARRIERS, SCENARIOS
from modelwire.limits import DEFAULT_LIMITS
from transports_under_test import Carrier

# Counting memory takes as long as all the rest: where little is sent, a scenario is weighed over one transport alone.
WEIGH_ALL = os.environ.get("HYPOTHESIS_PROFILE") == "deep"


@pytest.mark.parametrize(("number", "scenario"), [*enumerate(SCENARIOS)], ids=map(str, SCENARIOS))
def test_a_good_client(number: int, scenario: Scenario) -> None:
    wrong: dict[str, list[str]] = {}
    for turn, carrier in enumerate(CARRIERS):
        weigh = WEIGH_ALL or scenario.group in BULKY or turn == number % len(CARRIERS)
        _, complaints = examine(scenario, carrier, weigh=weigh)
        if complaints:
            wrong[str(carrier)] = complaints
    assert wrong == {}


def test_the_scenarios_are_many_and_no_two_are_called_alike() -> None:
    assert len(set(map(str, SCENARIOS))) == len(SCENARIOS) >= 150


def test_a_bomb_does_not_blow_up_the_process() -> None:
    """What Python does not count is counted by the system, in a process of its own."""
    runner = Path(__file__).parent / "faults"
    command = [sys.executable, str(runner), "--only", "gzip bomb against the default limits", "--rss"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(ran.stdout.split()[-1]) < 3 * DEFAULT_LIMITS.body + ROOM


@pytest.mark.parametrize("name", ["urllib", "urllib3"])
def test_a_coding_after_a_control_character_is_no_coding_for_http_client(name: str) -> None:
    """Taken for the name without it, it was let pass, and the bare chunks were the answer."""
    (scenario,) = (each for each in SCENARIOS if each.name == "chunked after a control character")
    assert examine(scenario, Carrier(name, "blocking"))[1] == []
