"""g4f's original providers on the emulators: in their sources, each host name is replaced by the emulator's URL."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

from clients.runners import OnOutput, Run

CLASSES = {
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
# Query of the browser's own requests, in the order in which it is signed.
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
    """The class of a provider, with this URL instead of its hosts."""
    spec = find_spec(CLASSES[name])
    assert spec is not None
    assert spec.origin is not None
    module = ModuleType(spec.name)
    module.__package__ = spec.parent
    source = HOSTS.sub(url, Path(spec.origin).read_text(encoding="utf-8"))
    exec(compile(source, spec.origin, "exec"), vars(module))
    kind = getattr(module, CLASSES[name].rpartition(".")[2])
    kind.working = True
    return kind


def fresh_provider(name: str, url: str) -> Any:
    """The same, without credentials of an earlier answer."""
    kind = provider(name, url)
    if name == "hailuo":
        kind.create_async_generator = partial(_ask_hailuo, kind)
    if name == "fakegpt":
        # By default aiohttp ignores the cookies of a host that is an IP address.
        kind._access_token, kind._cookie_jar = None, import_module("aiohttp").CookieJar(unsafe=True)
    if name == "arta":
        # In the working directory, which is temporary.
        kind.get_auth_file = lambda: Path(f"arta-{time.monotonic_ns()}.json").absolute()
    return kind


def _ask_hailuo(kind: Any, model: str, messages: Messages, **options: Any) -> AsyncIterator[object]:
    # The login without a browser. Each request gets a new signature; the original signs once.
    now = int(time.time() * 1000)
    query = urlencode(DEVICE | {"unix": now})
    login = import_module("g4f.providers.response").AuthResult(
        token=TOKEN, path_and_query=f"/v4/api/chat/msg?{query}", timestamp=now, impersonate="chrome"
    )
    answer: AsyncIterator[object] = kind.create_authed(model=model, messages=messages, auth_result=login, **options)
    return answer


async def _ask_all(url: str, model: str, streams: int, on_output: OnOutput) -> None:
    for _ in range(streams):
        async for output in fresh_provider(model, url).create_async_generator(model="", messages=MESSAGES):
            if type(output) is str:
                on_output(output)
            elif urls := getattr(output, "urls", None):
                on_output(urls)


def on_one_loop(ask_all: Callable[[str, str, int, OnOutput], Coroutine[Any, Any, None]]) -> Run:
    """Get one answer after the other. All runs share one loop."""
    runner = asyncio.Runner()

    def run(url: str, model: str, streams: int, on_output: OnOutput) -> None:
        runner.run(ask_all(url, model, streams, on_output))

    return run


run = on_one_loop(_ask_all)
