"""What a login is: a person logs in on the provider's own page, and what the browser then holds are credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from .flow import Flow
from .formats.browser_export import BrowserExport


@dataclass(kw_only=True)
class LoginFlow(Flow):
    """A flow in which a person logs in, in a browser: it ends with `CredentialsChanged`.

    `by_hand` says where a browser's own tools show what a person without such a browser has to copy: for each field of
    the credentials the JavaScript expression. The first of them cannot be done without.
    """

    default_timeout: ClassVar[float] = 300.0

    by_hand: ClassVar[Mapping[str, str]] = {}

    @property
    def login_url(self) -> str:
        """Where a person is told to log in."""
        raise NotImplementedError("a login says where")

    def take_export(self, export: BrowserExport, now: float, *, token: str = "") -> msgspec.Struct:
        """The credentials in what a browser has written to a file; `token` is one that was brought besides.

        Raises `InvalidInput` that says what is missing.
        """
        raise NotImplementedError("this login takes no file")
