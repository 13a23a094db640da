"""The strings that a flow must not show or record."""

from __future__ import annotations

from collections.abc import KeysView
from functools import cache

import msgspec

from modelwire.formats.cookies import Cookie
from modelwire.redaction import SHORTEST_SECRET


class Secrets:
    """A flow's secrets, in the order in which it learnt them."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}  # a set that keeps its order

    @property
    def values(self) -> KeysView[str]:
        return self._values.keys()

    def add(self, secret: str) -> None:
        """Hide this string from now on. One shorter than `SHORTEST_SECRET` is not hidden."""
        if len(secret) >= SHORTEST_SECRET:
            self._values[secret] = None

    def add_all(self, value: object) -> None:
        """Hide every string in credentials, but not a field's default, which everybody knows.

        Of a cookie only the value is secret.
        """
        if isinstance(value, str):
            self.add(value)
        elif isinstance(value, dict):
            self.add_all(list(value.values()))
        elif isinstance(value, list | tuple):
            for item in value:
                self.add_all(item)
        elif isinstance(value, Cookie):
            self.add(value.value)
        elif isinstance(value, msgspec.Struct):
            for entry in _fields_of(type(value)):
                content = getattr(value, entry.name)
                if content != entry.default:
                    self.add_all(content)


@cache
def _fields_of(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    # msgspec reads all annotations again at each call.
    return msgspec.structs.fields(shape)
