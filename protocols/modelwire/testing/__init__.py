"""What tests of flows are made of. Nothing in modelwire needs it.

`FlowKit` needs hypothesis, and is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelwire.testing.recordings import assert_replays

if TYPE_CHECKING:
    from modelwire.testing.kit import FlowKit

__all__ = ["FlowKit", "assert_replays"]


def __getattr__(name: str) -> object:
    if name != "FlowKit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from modelwire.testing.kit import FlowKit

    return FlowKit
