"""What a user may give that cannot work: it is refused when the flow is made, or fails; it is never an exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st

_texts = st.sampled_from(
    [
        *("", " ", "x" * 5000, "ж", "\ud800", "\udc80 x", "\x00", "\r\nx: y", "\x1b[31m", "..", "/", "//", "?", "#x"),
        *("http://", "http://[::1", "https://a.example:99999", "https://a.example:x", "https://user:pw@a.example/?x"),
        *("http://a.example/ b", "ftp://a.example", "//a.example", "x]", "//[", "\u2028", "%", "%zz", "{0}"),
    ]
) | st.text(st.characters(exclude_categories=[]), max_size=20)
_whole = st.integers() | st.sampled_from([0, -1, 2**63, 2**64, 10**30, 10**5000])
# By the type of what stands there by default.
_values: dict[type, st.SearchStrategy[object]] = {
    str: _texts,
    int: _whole,
    float: st.floats(),
    type(None): _texts | _whole | st.floats(),
}


class CredentialsInput(NamedTuple):
    """Another value for one field of what a user may give, or for what is asked, which has no fields."""

    argument: str
    field: str
    value: object

    def arguments(self, usual: Mapping[str, msgspec.Struct | str]) -> dict[str, object]:
        """What the flow is made with. A Struct checks nothing, neither here nor where a user makes it."""
        whole = usual[self.argument]
        changed = self.value if isinstance(whole, str) else msgspec.structs.replace(whole, **{self.field: self.value})
        return {self.argument: changed}


def given_instead(usual: Mapping[str, msgspec.Struct | str]) -> st.SearchStrategy[CredentialsInput]:
    """Any value in the place of one of the usual ones."""
    defaults = [
        (argument, field, default)
        for argument, whole in usual.items()
        for field, default in ({"": whole} if isinstance(whole, str) else msgspec.structs.asdict(whole)).items()
    ]
    return st.one_of(
        [
            st.builds(CredentialsInput, st.just(argument), st.just(field), _values[type(default)])
            for argument, field, default in defaults
            if type(default) in _values
        ]
    )
