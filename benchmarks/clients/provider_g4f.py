"""g4f's original providers, aimed at the emulators: in their sources, every host of theirs becomes the emulator's."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

from .running import Run, Take

PLACES = {
    "magickpen": "g4f.Provider.not_working.MagickPen",
    "fakegpt": "g4f.Provider.deprecated.FakeGpt",
    "hailuo": "g4f.Provider.mini_max.HailuoAI",
    "cromicle": "g4f.Provider.deprecated.Cromicle",
    "arta": "g4f.Provider.ARTA",
}
HOSTS = re.compile(r"https://[\w.-]*(?:magickpen\.com|zhile\.io|hailuo\.ai|cromicle\.top|ai-arta\.com|googleapis\.com)")
Messages = list[dict[str, str]]

MESSAGES: Messages = [{"role": "user", "content": "Say something long."}]
TOKEN = "emulated-token"
# What a browser would have told, in the order in which it is signed.
DEVICE = {
    "device_platform": "web",
    "biz_id": 2,
    "app_id": 3001,
    "version_code": 22201,
    "lang": "en",
    "uuid": "b5a3f0f6-8d3c-4a8e-9c60-1f2f4e6d7a10",
    "device_id": "300000000000000001",
    "os_name": "Linux",
    "browser_name": "chrome",
    "cpu_core_num": 8,
    "browser_language": "en-US",
    "browser_platform": "Linux x86_64",
    "screen_width": 1920,
    "screen_height": 1080,
}


@cache
def provider(name: str, url: str) -> Any:
    """The class of one of them, whose hosts are at this URL."""
    spec = find_spec(PLACES[name])
    assert spec is not None
    assert spec.origin is not None
    module = ModuleType(spec.name)
    module.__package__ = spec.parent
    source = HOSTS.sub(url, Path(spec.origin).read_text(encoding="utf-8"))
    exec(compile(source, spec.origin, "exec"), vars(module))
    kind = getattr(module, PLACES[name].rpartition(".")[2])
    kind.working = True
    return kind


def fresh_provider(name: str, url: str) -> Any:
    """The same, logged in nowhere."""
    kind = provider(name, url)
    if name == "hailuo":
        kind.create_async_generator = partial(_ask_hailuo, kind)
    if name == "fakegpt":
        # aiohttp keeps no cookies of an address without a name, unless it is told to.
        kind._access_token, kind._cookie_jar = None, import_module("aiohttp").CookieJar(unsafe=True)
    if name == "arta":
        kind.get_auth_file = lambda: Path(tempfile.gettempdir()) / f"modelwire-{time.monotonic_ns()}.json"
    return kind


def _ask_hailuo(kind: Any, model: str, messages: Messages, **options: Any) -> AsyncIterator[object]:
    # The login, without a browser; and signed anew each time, which the original does once.
    now = int(time.time() * 1000)
    query = urlencode(DEVICE | {"unix": now})
    login = import_module("g4f.providers.response").AuthResult(
        token=TOKEN, path_and_query=f"/v4/api/chat/msg?{query}", timestamp=now, impersonate="chrome"
    )
    answer: AsyncIterator[object] = kind.create_authed(model=model, messages=messages, auth_result=login, **options)
    return answer


async def _ask_all(url: str, model: str, streams: int, take: Take) -> None:
    for _ in range(streams):
        async for output in fresh_provider(model, url).create_async_generator(model="", messages=MESSAGES):
            if type(output) is str:
                take(output)
            elif urls := getattr(output, "urls", None):
                take(urls)


def on_one_loop(ask_all: Callable[[str, str, int, Take], Coroutine[Any, Any, None]]) -> Run:
    """One answer after the other, on a loop that stays."""
    runner = asyncio.Runner()

    def run(url: str, model: str, streams: int, take: Take) -> None:
        runner.run(ask_all(url, model, streams, take))

    return run


run = on_one_loop(_ask_all)
