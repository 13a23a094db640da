"""The examples of the guide `writing-a-provider.md`, and the template beside it, pass the kit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

import msgspec
import pytest

from doc_pages import DOCS, blocks_of, table_after
from fresh_interpreter import loaded_by
from modelwire.emulators import Chunk, EmulatorRequest, EmulatorResponse
from modelwire.outputs import ImageReady, JobAccepted, TextDelta, UsageReported
from modelwire.provider import Provider
from modelwire.testing import FlowKit

PAGE = DOCS / "writing-a-provider.md"
TEMPLATE = DOCS / "provider_template.py"
PROPERTIES = sorted(name for name in vars(FlowKit) if name.startswith("test_"))


@pytest.fixture(scope="module")
def template() -> Iterator[ModuleType]:
    """The template, under the name that the guide gives it."""
    module = ModuleType("modelwire_parrot")
    sys.modules[module.__name__] = module
    exec(compile(TEMPLATE.read_text(encoding="utf-8"), str(TEMPLATE), "exec", dont_inherit=True), vars(module))
    yield module
    del sys.modules[module.__name__]


@pytest.fixture(scope="module")
def page(template: ModuleType) -> Iterator[dict[str, Any]]:
    """The names that the guide's code defines, without its use of the client."""
    module = ModuleType("page")
    sys.modules[module.__name__] = module
    for block in blocks_of(PAGE, "python"):
        if "modelwire_io" not in block.text:
            exec(block.text, vars(module))
    yield vars(module)
    del sys.modules[module.__name__]


class PictureEmulator:
    """Accepts any job, which is done after three seconds."""

    def __init__(self) -> None:
        self.done_at = 0.0

    def handle(self, request: EmulatorRequest, now: float) -> EmulatorResponse:
        if request.method == "POST":
            self.done_at = now + 3.0
        picture = {"id": "7", "state": "painting" if now < self.done_at else "done", "url": "https://parrot.example/7"}
        return EmulatorResponse(chunks=(Chunk(msgspec.json.encode(picture)),))


@pytest.fixture(scope="module")
def kits(page: dict[str, Any]) -> dict[str, FlowKit]:
    """The kit of the guide for the template, and one for the guide's image job."""

    class TestPicture(FlowKit):
        provider = Provider(
            name="parrot",
            label="Parrot",
            image=page["ParrotPicture"],
            endpoints=page["ParrotEndpoints"](),
            website="https://parrot.example",
            status="unknown",
            note="",
        )
        emulator = PictureEmulator

    return {"template": page["TestParrot"](), "picture": TestPicture()}


def test_the_template_answers(kits: dict[str, FlowKit]) -> None:
    (scene,) = kits["template"].scenes()
    assert scene.outcome.failure is None
    outputs = [item for item in scene.items if isinstance(item, TextDelta | UsageReported)]
    assert outputs == [TextDelta("Hel"), TextDelta("lo"), UsageReported(5, 5)]


def test_the_image_job_of_the_guide_ends_with_an_image(kits: dict[str, FlowKit]) -> None:
    (scene,) = kits["picture"].scenes()
    assert scene.outcome.failure is None
    outputs = [item for item in scene.items if isinstance(item, JobAccepted | ImageReady)]
    assert outputs == [JobAccepted("7"), ImageReady("https://parrot.example/7", 0)]


@pytest.mark.parametrize("kind", ["template", "picture"])
@pytest.mark.parametrize("name", PROPERTIES)
def test_the_examples_of_the_guide_pass(kits: dict[str, FlowKit], kind: str, name: str) -> None:
    getattr(kits[kind], name)()


def test_the_guide_takes_four_lines() -> None:
    (block,) = [block for block in blocks_of(PAGE, "python") if "(FlowKit)" in block.text]
    assert len(block.text.partition("\n\n\n")[2].splitlines()) == 4


def test_the_guide_lists_every_test_of_the_kit() -> None:
    patterns = [row[1].strip("`") for row in table_after(PAGE, "### With the kit")]
    for name in PROPERTIES:
        assert sum(fnmatchcase(name, pattern) for pattern in patterns) == 1, name


def test_replaying_a_recording_does_not_need_hypothesis() -> None:
    loaded = loaded_by("modelwire.testing")
    assert "modelwire.testing.recordings" in loaded
    assert "hypothesis" not in loaded
