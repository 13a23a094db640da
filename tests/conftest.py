"""How hard hypothesis tries, and which helpers get pytest's assertion messages.

The profile `fast` is for every run, and tries the same examples each time. `HYPOTHESIS_PROFILE=deep` is for a night,
or with `-k` for a part of one: `-k 'TestArta and resume'` runs one property of one provider of `test_kit.py`.
`HYPOTHESIS_EXAMPLES` is the number of examples of each property.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("fast", derandomize=True, deadline=None, max_examples=60)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "100000")),
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))

pytest.register_assert_rewrite("contract", "played_flow")
