"""The kits of the providers in the catalog."""

from __future__ import annotations

import re
from functools import partial

from modelwire.emulators import (
    ArtaEmulator,
    Behaviour,
    CromicleEmulator,
    FakeGptEmulator,
    HailuoEmulator,
    MagickPenEmulator,
)
from modelwire.formats.cookies import Cookie
from modelwire.providers import arta, cromicle, fakegpt, hailuo, magickpen
from modelwire.testing import FlowKit, LoginKit, Page

# The kit cuts bodies itself, and has its own clock.
WHOLE = Behaviour(pause=0.0, chunk_size=1 << 20)


class ArtaKit(FlowKit):
    provider = arta.PROVIDER
    emulator = partial(ArtaEmulator, WHOLE)
    credentials = arta.ArtaCredentials(api_key="emulated/api+key=")


class CromicleKit(FlowKit):
    provider = cromicle.PROVIDER
    emulator = partial(CromicleEmulator, WHOLE)


class FakeGptKit(FlowKit):
    provider = fakegpt.PROVIDER
    emulator = partial(FakeGptEmulator, WHOLE)


class HailuoKit(FlowKit):
    provider = hailuo.PROVIDER
    emulator = partial(HailuoEmulator, WHOLE)
    credentials = hailuo.HailuoCredentials(token="emulated-token")
    secret_names = re.compile(FlowKit.secret_names.pattern + "|yy")


class MagickPenKit(FlowKit):
    provider = magickpen.PROVIDER
    emulator = partial(MagickPenEmulator, WHOLE)


class HailuoLoginKit(LoginKit):
    provider = hailuo.PROVIDER
    pages = (
        Page('{"origin": "https://www.hailuo.ai", "token": null, "cpu_core_num": 16, "user_agent": "Firefox/150.0"}'),
        Page('{"origin": "https://accounts.example", "token": "another-token", "uuid": "another-uuid"}'),
        Page('{"origin": "https://www.hailuo.ai", "token": "the-token", "uuid": null, "screen_width": 2560}'),
        Page(
            '{"origin": "https://www.hailuo.ai", "token": "the-token", "uuid": "the-uuid", "device_id": "30395947"}',
            (Cookie(name="session", value="the-cookie", domain="www.hailuo.ai", secure=True),),
        ),
    )
