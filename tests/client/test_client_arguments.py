"""The arguments of `chat` and `image`: models, prompts, options, timeouts."""

from __future__ import annotations

from typing import Any

import pytest

from emulated_clients import MemorySetup, collect, result
from modelwire.emulators import Behaviour, CromicleEmulator
from modelwire.errors import DeadlineExceeded, InvalidInput
from modelwire.messages import Message
from transport_variants import Style

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("cromicl", "unknown provider 'cromicl': did you mean 'cromicle'?"),
        ("cromicle/gpt-3.5", "unknown model 'gpt-3.5' for Cromicle: did you mean 'gpt-3.5-turbo'?"),
        ("arta", "ARTA is for images, not for chats: choose another provider"),
    ],
)
def test_a_chat_with_an_unknown_name_is_refused(memory: MemorySetup, model: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        memory.client().chat(model, "Hello")
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("artta", "unknown provider 'artta': did you mean 'arta'?"),
        ("arta/fluxx", "unknown model 'fluxx' for ARTA: did you mean 'flux'?"),
        ("cromicle", "Cromicle is for chats, not for images: choose another provider"),
    ],
)
def test_an_image_with_an_unknown_name_is_refused(memory: MemorySetup, model: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        memory.client().image(model, "a dragon")
    assert str(raised.value) == message


@pytest.mark.parametrize("prompt", ["", " \n", [], [Message("user", "")]])
def test_an_empty_prompt_is_refused(memory: MemorySetup, prompt: Any) -> None:
    with pytest.raises(InvalidInput, match="the prompt is empty"):
        memory.client().chat("cromicle", prompt, system="Be brief")
    with pytest.raises(InvalidInput, match="the prompt is empty"):
        memory.client().image("arta", prompt)


def test_a_lone_surrogate_is_refused(memory: MemorySetup) -> None:
    for arguments in (("\ud800", None), ("Hello", "\ud800")):
        with pytest.raises(InvalidInput, match="lone surrogate"):
            memory.client().chat("cromicle", arguments[0], system=arguments[1])


def test_an_unknown_option_is_refused_with_the_nearest(memory: MemorySetup) -> None:
    with pytest.raises(InvalidInput, match=r"unknown option 'step': did you mean 'steps'\?"):
        memory.client().image("arta", "a dragon", step=1)
    with pytest.raises(InvalidInput, match="unknown option 'temperature'"):
        memory.client().chat("cromicle", "Hello", temperature=1)


@pytest.mark.parametrize("options", [{"n": "two"}, {"n": 0}, {"aspect_ratio": "wide"}, {"steps": -1}])
def test_a_bad_option_is_refused(memory: MemorySetup, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="bad option"):
        memory.client().image("arta", "a dragon", **options)


async def test_options_may_be_text(memory: MemorySetup) -> None:
    job = memory.log_in().client().image("arta/watercolor", "a dragon", n="2", steps="7", seed="42", cfg_scale="1.5")
    assert len(await collect(job.images())) == 2
    for field in ("images_num=2", "steps=7", "seed=42", "cfg_scale=1.5", "style=Watercolor"):
        assert memory.emulators["arta"].received(field)


def test_a_conversation_that_the_provider_cannot_continue_is_refused(memory: MemorySetup) -> None:
    with pytest.raises(InvalidInput, match="Cromicle keeps no conversations"):
        memory.client().chat("cromicle", "Hello", conversation={})
    with pytest.raises(InvalidInput, match="the conversation do"):
        memory.client().chat("hailuo", "Hello", conversation={})


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_an_invalid_timeout_is_refused(memory: MemorySetup, timeout: float) -> None:
    with pytest.raises(InvalidInput, match="the timeout must be a number of seconds, more than 0"):
        memory.client(timeout=timeout)


async def test_a_timeout_ends_a_chat(style: Style) -> None:
    memory = MemorySetup(style, {"cromicle": CromicleEmulator(Behaviour(pause=1.0))})
    began = memory.clock.now()
    with pytest.raises(DeadlineExceeded, match="not finished within 3 seconds"):
        await result(memory.client(timeout=3).chat("cromicle", "Hello").read())
    assert memory.clock.now() - began == 3
