"""Checks of a flow's fields when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from modelwire.errors import InvalidInput
from modelwire.flow import NOT_SAVED
from played_flow import begin, through_json
from toy_flows import FetchFlow


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a provider. A Struct does not check its values when it is made by hand."""

    name: str = "small"
    width: Annotated[int, Meta(ge=1)] = 1
    scale: float = 1.0


@dataclass(kw_only=True)
class Sized(FetchFlow):
    size: Size = Size()
    title: str = ""
    kept_out: Size = field(default=Size(), metadata=NOT_SAVED)


@pytest.mark.parametrize(
    "given",
    [
        {"title": "\ud800"},
        {"size": Size(name="\udc80x")},
        {"kept_out": Size(name="\ud800")},
        {"credentials": {"key": "\ud800"}},
    ],
)
def test_a_lone_surrogate_is_refused_in_every_field(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=rf"^the field '{next(iter(given))}' holds a lone surrogate"):
        Sized(**given)


@pytest.mark.parametrize(
    "size",
    [
        Size(width=0),
        Size(width="1"),  # type: ignore[arg-type]
        Size(width=10**5000),
        Size(scale=float("nan")),
        Size(scale=float("inf")),
        Size(name=object()),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_a_snapshot_could_not_restore_is_refused(size: Size) -> None:
    with pytest.raises(InvalidInput, match=r"^the field 'size' does not fit: "):
        Sized(size=size)


def test_a_field_outside_the_snapshot_may_hold_such_a_value() -> None:
    assert begin(Sized(kept_out=Size(scale=float("inf")))).requests
    assert begin(through_json(Sized(size=Size(name="ж", width=10**30, scale=0.5)))).requests
