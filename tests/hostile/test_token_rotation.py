"""Many processes that refresh one rotating token at the same time."""

from __future__ import annotations

import os
from pathlib import Path

from token_rotation import PROCESSES, REFRESH, SIGN_UP, STATUS, SUBMIT, rotate

# Enough rounds for conflicts. `python tests/hostile/token_rotation.py` plays a hundred.
ROUNDS = int(os.environ.get("MODELWIRE_ROTATIONS", "5"))


def test_processes_that_refresh_one_token_at_once_refresh_it_once(tmp_path: Path) -> None:
    figures = rotate(tmp_path / "credentials", rounds=ROUNDS)
    assert figures.failures == []
    jobs = PROCESSES * (ROUNDS + 1)
    assert figures.responses == {(SIGN_UP, 200): 1, (REFRESH, 200): ROUNDS, (SUBMIT, 200): jobs, (STATUS, 200): jobs}
    assert (figures.damage, figures.reads > 0) == ([], True)
    assert [name for name in figures.left if not name.endswith(".lock")] == ["arta.json"]
