"""The flows in which a person logs in on the provider's own page. The browser then holds the credentials."""

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
        """The page on which a person logs in."""
        raise NotImplementedError("a login flow has the URL of its page")

    def credentials_from_export(self, export: BrowserExport, now: float, *, token: str = "") -> msgspec.Struct:
        """The credentials in a file that a browser exported. `token` is one that the caller supplies besides.

        Raises `InvalidInput` that says what is missing.
        """
        raise NotImplementedError("this login cannot be imported from a file")
