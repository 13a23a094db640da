"""The example of the guide passes the kit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

import pytest

from doc_pages import DOCS, blocks_of, table_after
from fresh_interpreter import loaded_by
from modelwire.testing import FlowKit

PAGE = DOCS / "writing-a-provider.md"
PROPERTIES = sorted(name for name in vars(FlowKit) if name.startswith("test_"))


@pytest.fixture(scope="module")
def kit() -> Iterator[FlowKit]:
    """The kit of the guide's example, made from the code blocks of the guide."""
    blocks = blocks_of(PAGE, "python")
    parrot, page = ModuleType("modelwire_parrot"), ModuleType("page")
    sys.modules.update({parrot.__name__: parrot, page.__name__: page})
    exec("\n".join(block.text for block in blocks if block.file), vars(parrot))
    for block in blocks:
        if "class ParrotEmulator" in block.text or "FlowKit" in block.text:
            exec(block.text, vars(page))
    found: Any = vars(page)["TestParrot"]
    yield found()
    del sys.modules[parrot.__name__], sys.modules[page.__name__]


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_example_of_the_guide_passes(kit: FlowKit, name: str) -> None:
    getattr(kit, name)()


def test_the_guide_takes_three_lines() -> None:
    (block,) = [block for block in blocks_of(PAGE, "python") if "FlowKit" in block.text]
    assert len(block.text.partition("\n\n\n")[2].splitlines()) == 3


def test_the_guide_lists_every_test_of_the_kit() -> None:
    patterns = [row[1].strip("`") for row in table_after(PAGE, "### With the kit")]
    for name in PROPERTIES:
        assert sum(fnmatchcase(name, pattern) for pattern in patterns) == 1, name


def test_replaying_a_recording_does_not_need_hypothesis() -> None:
    loaded = loaded_by("modelwire.testing")
    assert "modelwire.testing.recordings" in loaded
    assert "hypothesis" not in loaded
