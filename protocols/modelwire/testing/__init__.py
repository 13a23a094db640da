"""Tests for the authors of providers. No other part of modelwire imports them.

`FlowKit` tests chats and images. `LoginKit` tests logins, with one `Page` for each page that the browser shows. Both
need hypothesis and are imported on first use. `assert_replays` replays a recording.
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
