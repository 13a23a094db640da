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

    `console_expressions` maps each field of the credentials to the JavaScript expression that shows it in a browser's
    console, for a person who logs in with a browser of their own. The first one is required.
    """

    default_timeout: ClassVar[float] = 300.0

    console_expressions: ClassVar[Mapping[str, str]] = {}

    @property
    def login_url(self) -> str:
        """Where a person is told to log in."""
        raise NotImplementedError("a login says where")

    def credentials_from_export(self, export: BrowserExport, now: float, *, token: str = "") -> msgspec.Struct:
        """The credentials in what a browser has written to a file; `token` is one that was brought besides.

        Raises `InvalidInput` that says what is missing.
        """
        raise NotImplementedError("this login takes no file")
