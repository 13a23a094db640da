"""What all tests share: how hard hypothesis tries.

`fast` is for every run and tries the same examples each time. `HYPOTHESIS_PROFILE=deep` is for a night, or with `-k`
for a part of one: `-k 'TestArta and resume'` is one property of one provider of `test_kit.py`. How many examples it
tries of each property is up to `HYPOTHESIS_EXAMPLES`.
"""

from __future__ import annotations

import os

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
