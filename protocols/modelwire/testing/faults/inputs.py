"""Wrong arguments of a flow. The flow must raise `InvalidInput` when it is made, or end in a failure."""

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
_integers = st.integers() | st.sampled_from([0, -1, 2**63, 2**64, 10**30, 10**5000])
# Wrong values, by the type of the default.
_values: dict[type, st.SearchStrategy[object]] = {
    str: _texts,
    int: _integers,
    float: st.floats(),
    type(None): _texts | _integers | st.floats(),
}


class FieldInput(NamedTuple):
    """A value for one field of an argument of the flow; for the whole argument if it is a string."""

    argument: str
    field: str
    value: object

    def arguments(self, usual: Mapping[str, msgspec.Struct | str]) -> dict[str, object]:
        """The changed argument, to be merged into the usual ones. A Struct does not check the types of its fields."""
        default = usual[self.argument]
        changed = (
            self.value if isinstance(default, str) else msgspec.structs.replace(default, **{self.field: self.value})
        )
        return {self.argument: changed}


def field_inputs(usual: Mapping[str, msgspec.Struct | str]) -> st.SearchStrategy[FieldInput]:
    """Inputs that replace one value of the usual arguments."""
    defaults = [
        (argument, field, default)
        for argument, usual_value in usual.items()
        for field, default in (
            {"": usual_value} if isinstance(usual_value, str) else msgspec.structs.asdict(usual_value)
        ).items()
    ]
    return st.one_of(
        [
            st.builds(FieldInput, st.just(argument), st.just(field), _values[type(default)])
            for argument, field, default in defaults
            if type(default) in _values
        ]
    )
