"""What tests of flows are made of. Nothing in modelwire needs it.

`FlowKit`, for chats and images, and `LoginKit`, whose `Page`s a login shows, need hypothesis, and are imported when
they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .recordings import assert_replays

if TYPE_CHECKING:
    from .kit import FlowKit
    from .login_kit import LoginKit
    from .login_stage import Page

__all__ = ["FlowKit", "LoginKit", "Page", "assert_replays"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .kit import FlowKit
    from .login_kit import LoginKit
    from .login_stage import Page

    return {"FlowKit": FlowKit, "LoginKit": LoginKit, "Page": Page}[name]
